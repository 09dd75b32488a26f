"""Files of JSON lines: one object per line, blank lines allowed.

Lines are found by counting line feeds in blocks, at the speed of the disk; only those that are
asked for are parsed.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from runner.datasets.row import Row

BLOCK = 2**16
"""Bytes between two entries of the index."""


class _Index(NamedTuple):
    before: array[int]
    """For each block of the file, the line feeds before it."""
    lines: int
    filled: array[int] | None
    """The lines that hold something, counted from 0; None where all do."""


class JsonLines:
    """The rows of one file."""

    def __init__(self, path: Path) -> None:
        """Read from `path`."""
        self._path = path

    def count(self) -> int:
        """Return how many lines hold something."""
        filled = self._index.filled
        return self._index.lines if filled is None else len(filled)

    def all(self) -> Iterator[Row]:
        """Yield every row, also lines that are no JSON, with the reason."""
        with self._path.open("rb") as file:
            yield from rows_of(self._path.name, file)

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yield the rows at `indices`."""
        before, _, filled = self._index
        with self._path.open("rb") as file:
            for index in indices:
                line = index if filled is None else filled[index]
                block = max(0, bisect_left(before, line) - 1)
                file.seek(block * BLOCK)
                for _ in range(line - before[block]):
                    file.readline()
                yield _row(self._path.name, line + 1, file.readline())

    @cached_property
    def _index(self) -> _Index:
        before, lines, last, has_blank = array("Q"), 0, b"\n", False
        with self._path.open("rb") as file:
            while block := file.read(BLOCK):
                before.append(lines)
                lines += block.count(b"\n")
                has_blank |= last == b"\n" and block[:1] in (b"\n", b"\r")
                has_blank |= b"\n\n" in block or b"\n\r" in block
                last = block[-1:]
        return _Index(before, lines + (last != b"\n"), self._filled() if has_blank else None)

    def _filled(self) -> array[int]:
        with self._path.open("rb") as file:
            return array("Q", (at for at, line in enumerate(file) if not line.isspace()))


def rows_of(name: str, lines: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows of the `lines` of a file called `name`; blank ones are none."""
    for number, line in enumerate(lines, 1):
        if not line.isspace():
            yield _row(name, number, line)


def _row(name: str, number: int, line: bytes) -> Row:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(name, number, {}, f"no JSON: {error}")
    if not isinstance(content, dict):
        return Row(name, number, {}, "no JSON object")
    return Row(name, number, content)
