"""The base of every section of a spec, and the small types that sections share."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

FROM_FILE = {"from_file": True}
"""Validation context of what a person wrote: forms that only the runner writes are refused."""

RECORDED = {"recorded": True}
"""Validation context of what a runner wrote, maybe an earlier one: keys that the format has lost
since are passed over. Give `extra="ignore"` with it, which does not reach into an algorithm."""

_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Section(BaseModel):
    """Frozen, strict about types, and without room for a key that nobody reads."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )

    @classmethod
    def kinds(cls) -> tuple[type[Section], ...]:
        """Return the classes that a value of this type may be of: this one, as a rule."""
        return (cls,)


S = TypeVar("S", bound=Section)


def default(kind: type[S]) -> S:
    """Return the section as it is where a spec leaves it out.

    Without validating it: that would build the validator of each kind of section while modules are
    loaded, most of them for nothing.
    """
    return kind.model_construct()


def fault(key: str, message: str, cure: str) -> PydanticCustomError:
    """Return the error to raise when `key` of the section that is checked does not suit it."""
    return PydanticCustomError("fault", "{message}", {"key": key, "message": message, "cure": cure})


def is_from_file(info: ValidationInfo) -> bool:
    """Whether the value that is checked was written by a person."""
    return bool(info.context and info.context.get("from_file"))


def is_recorded(info: ValidationInfo) -> bool:
    """Whether the value that is checked was written by a runner: see `RECORDED`."""
    return bool(info.context and info.context.get("recorded"))


def parse_duration(text: object) -> object:
    """Return the seconds of a text such as `30m` or `1h30m`; anything else goes through."""
    if not isinstance(text, str):
        return text
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"`{text[:60]}` is not a duration; write it like 45s, 30m, 8h or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _read_duration(value: object, info: ValidationInfo) -> object:
    if is_from_file(info) and isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(
            f"`{value}` has no unit; write it like {value:g}s, {value:g}m or {value:g}h"
        )
    return parse_duration(value)


Duration = Annotated[
    int,
    BeforeValidator(_read_duration),
    Field(gt=0),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+[smhd])+$", "examples": ["30m", "8h"]}),
]
"""Seconds, written as `30m`, `8h` or `1h30m`."""


def check_path(path: str) -> str:
    """Return `path` if it stays inside the repository; raises ValueError otherwise."""
    if path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        raise ValueError(
            f"`{ascii(path)[1:-1][:60]}` is no path inside the repository; "
            "write it relative to the root, without `..`"
        )
    return path


RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_path)]
"""A path inside the repository: not absolute, no `..`, no control characters."""

Positive = Annotated[int, Field(gt=0, le=2**31)]
Share = Annotated[float, Field(gt=0, le=1)]
Mapping = dict[str, Any]
