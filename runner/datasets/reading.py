"""The rows of a dataset: all of them as a stream, or an evenly spread sample.

Nothing is held but an index (of lines, one entry per MiB; of row groups) and the rows at hand. JSON
lines are read without pyarrow, so that checking small sets loads nothing heavy.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from runner.datasets.jsonl import JsonLines
from runner.datasets.row import Row, Rows, spread
from runner.datasets.source import Part, parts_of


class Dataset:
    """A dataset of one or more files."""

    def __init__(self, path: Path) -> None:
        """Find the files of the dataset at `path`; raises Refused as `parts_of` does."""
        self.path = path
        self.parts = parts_of(path)

    @cached_property
    def _files(self) -> list[Rows]:
        return [_open(part) for part in self.parts]

    @cached_property
    def _ends(self) -> list[int]:
        """For each file, how many rows it and those before it have."""
        return list(accumulate(file.count() for file in self._files))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._ends[-1] if self._ends else 0

    def all(self) -> Iterator[Row]:
        """Yield every row in order."""
        for file in self._files:
            yield from file.all()

    def sample(self, count: int) -> Iterator[Row]:
        """Yield `count` rows, evenly spread and the same each time; all of them where so few."""
        wanted: dict[int, list[int]] = {}
        for index in spread(self.rows, count):
            number = bisect_right(self._ends, index)
            start = self._ends[number - 1] if number else 0
            wanted.setdefault(number, []).append(index - start)
        for number, indices in wanted.items():
            yield from self._files[number].at(indices)


def _open(part: Part) -> Rows:
    if part.kind == "jsonl":
        return JsonLines(part.path)
    from runner.datasets.tables import ArrowStream, ParquetTable

    return ParquetTable(part.path) if part.kind == "parquet" else ArrowStream(part.path)
