"""The base of every section of a spec, and the small types that sections share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Section(BaseModel):
    """Frozen, strict about types, and without room for a key that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def parse_duration(text: object) -> object:
    """Return the seconds of a text such as `30m` or `1h30m`; anything else goes through."""
    if not isinstance(text, str):
        return text
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("is not a duration; write it like 45s, 30m, 8h or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+[smhd])+$", "examples": ["30m", "8h"]}),
]
"""Seconds, written as `30m`, `8h` or `1h30m`."""


def _check_path(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        raise ValueError("is not a path inside the repository: write it relative, without `..`")
    return path


RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_check_path)]
"""A path inside the repository: not absolute, no `..`, no control characters."""

Positive = Annotated[int, Field(gt=0, le=2**31)]
Share = Annotated[float, Field(gt=0, le=1)]
Mapping = dict[str, Any]
