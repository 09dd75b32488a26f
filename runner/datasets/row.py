"""A row of a dataset, and what a file of rows can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol


class Row(NamedTuple):
    """A row, and where it stands."""

    file: str
    number: int
    """The line in a file of JSON lines, else the row; counted from 1."""
    content: dict[str, Any]
    fault: str = ""
    """Why there is no content: the line is no JSON object."""


class Rows(Protocol):
    """The rows of one file."""

    def count(self) -> int:
        """Return how many there are, without decoding them."""

    def all(self) -> Iterator[Row]:
        """Yield them in order."""

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yield those at `indices` (from 0, ascending), decoding little else."""


def spread(rows: int, count: int) -> list[int]:
    """Return the indices of at most `count` of `rows` rows, evenly spread, the first among them."""
    if rows <= count:
        return list(range(rows))
    return [number * rows // count for number in range(count)]
