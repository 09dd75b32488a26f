"""The keys below a dataclass, dotted, as records of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.trainers.keys.fields import Dataclasses, Field, Section
from runner.trainers.keys.source import NOT_LITERAL

Records = dict[str, dict[str, Any]]
"""By dotted key: `type` (or `like`, the type of a default that nothing annotates) and, where they
apply, `default`, `choices`, `add` (takes `+`), `section` (a mapping whose keys are listed too)."""


def keys_below(
    classes: Dataclasses,
    section: Section,
    prefix: str = "",
    changed: Mapping[str, Any] | None = None,
    above: tuple[Section, ...] = (),
) -> Records:
    """Return the keys of a dataclass and of the dataclasses in it; `changed` are other defaults."""
    records: Records = {}
    for field in classes.fields(section).values():
        key = f"{prefix}{field.name}"
        if field.section is None or field.section in above:
            records[key] = record(field, (changed or {}).get(field.name, field.default))
            continue
        if "null" in field.types:
            records[key] = {**record(field, field.default), "section": True}
        records |= keys_below(
            classes, field.section, f"{key}.", field.changed, (*above, section, field.section)
        )
    return records


def record(field: Field, default: Any) -> dict[str, Any]:
    """Return what a schema says of one field."""
    said: dict[str, Any] = {"type": "|".join(field.types)}
    if default is not NOT_LITERAL:
        said["default"] = default
    if field.choices:
        said["choices"] = list(field.choices)
    return said
