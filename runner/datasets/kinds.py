"""What a value is, and what a column holds: the words that cards and messages use.

Columns of objects are known by dotted names, such as `reward_model.ground_truth`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TEXT = "text"
NUMBER = "number"
FLAG = "boolean"
MESSAGES = "messages"
LIST = "list"
OBJECT = "object"
NONE = "none"

MOST_COLUMNS = 200
"""Names that are taken down: rows whose objects have keys of their own would have any number."""

MISSING = object()
"""What a row has where it has nothing, not even null."""


def kind_of(value: Any) -> str:
    """Return what `value` is in a word; a list of objects that say a role is `messages`."""
    if value is None or value is MISSING:
        return NONE
    if isinstance(value, str):
        return TEXT
    if isinstance(value, bool):
        return FLAG
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, Mapping):
        return OBJECT
    is_chat = bool(value) and all(isinstance(item, Mapping) and "role" in item for item in value)
    return MESSAGES if is_chat else LIST


def lookup(row: Mapping[str, Any], column: str) -> Any:
    """Return what `row` has in `column`, a name or a dotted one; MISSING where it has none."""
    if column in row:
        return row[column]
    outer, dot, inner = column.partition(".")
    holder = row.get(outer) if dot else None
    return lookup(holder, inner) if isinstance(holder, Mapping) else MISSING


class Kinds:
    """The kinds of values that columns hold, as far as rows were shown."""

    def __init__(self) -> None:
        """Know of no row."""
        self._rows = 0
        self._seen: dict[str, dict[str, int]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take down what `row` holds."""
        self._rows += 1
        for column, value in _columns(row):
            if column not in self._seen and len(self._seen) >= MOST_COLUMNS:
                continue
            counts = self._seen.setdefault(column, {})
            kind = kind_of(value)
            counts[kind] = counts.get(kind, 0) + 1

    def columns(self) -> dict[str, str]:
        """Return what each column holds, the most frequent kind first: `text or none`."""
        return {column: " or ".join(self._kinds(column)) for column in sorted(self._seen)}

    def _kinds(self, column: str) -> list[str]:
        counts = dict(self._seen[column])
        # A field of an object that is absent where the object is: none, like one that is null.
        if absent := self._rows - sum(counts.values()):
            counts[NONE] = counts.get(NONE, 0) + absent
        return sorted(counts, key=lambda kind: (-counts[kind], kind))


def _columns(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        yield name, value
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", item) for inner, item in value.items())


def holds(kinds: str, *wanted: str) -> bool:
    """Whether a column of `kinds` has a value of one of those `wanted`."""
    return not set(wanted).isdisjoint(kinds.split(" or "))
