"""Files of Arrow's formats: Parquet, and the stream that Hugging Face's `datasets` writes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from runner.datasets.row import Row
from runner.errors import Refused

BATCH = 1024
"""Rows that are held at once."""
BUFFER = 2**20
"""Bytes of a column that are read at once; pyarrow's default is a whole row group, of any size."""


class ParquetTable:
    """The rows of a Parquet file."""

    def __init__(self, path: Path) -> None:
        """Read from `path`; raises Refused when it is no Parquet."""
        import pyarrow
        import pyarrow.parquet as parquet

        self._name = path.name
        try:
            self._file = parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
        except (pyarrow.ArrowException, OSError) as error:
            raise Refused(f"{path.name} is no Parquet: {error}", cure="write it again") from None

    @property
    def schema(self) -> Any:
        """The columns and their types."""
        return self._file.schema_arrow

    def count(self) -> int:
        """Return how many rows the file's metadata states."""
        return int(self._file.metadata.num_rows)

    def batches(self) -> Iterator[Any]:
        """Yield the rows as record batches."""
        yield from self._file.iter_batches(BATCH)

    def all(self) -> Iterator[Row]:
        """Yield every row in order."""
        return _rows(self._name, self.batches())

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yield the rows at `indices`; of row groups without any, nothing is read."""
        metadata = self._file.metadata
        groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
        ends = list(accumulate(groups))
        wanted: dict[int, list[int]] = {}
        for index in indices:
            wanted.setdefault(bisect_right(ends, index), []).append(index)
        for group, members in wanted.items():
            batches = self._file.iter_batches(BATCH, row_groups=[group])
            yield from _chosen(self._name, batches, members, ends[group] - groups[group])


class ArrowStream:
    """The rows of an Arrow file; it is mapped into memory, not read."""

    def __init__(self, path: Path) -> None:
        """Read from `path`."""
        self._path = path

    @cached_property
    def _count(self) -> int:
        return sum(batch.num_rows for batch in self.batches())

    def count(self) -> int:
        """Return how many rows its batches state."""
        return self._count

    def batches(self) -> Iterator[Any]:
        """Yield the rows as record batches.

        Raises Refused when the file is neither an Arrow stream nor an Arrow file.
        """
        import pyarrow
        from pyarrow import ipc

        with pyarrow.memory_map(str(self._path)) as source:
            try:
                yield from ipc.open_stream(source)
            except pyarrow.ArrowInvalid as error:
                message = f"{self._path.name} is no stream of Arrow batches: {error}"
                raise Refused(message, cure="write it with datasets.save_to_disk") from None

    def all(self) -> Iterator[Row]:
        """Yield every row in order."""
        return _rows(self._path.name, self.batches())

    def at(self, indices: Iterable[int]) -> Iterator[Row]:
        """Yield the rows at `indices`."""
        return _chosen(self._path.name, self.batches(), indices, 0)


def _rows(name: str, batches: Iterable[Any]) -> Iterator[Row]:
    number = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH):
            for content in batch.slice(start, BATCH).to_pylist():
                number += 1
                yield Row(name, number, content)


def _chosen(name: str, batches: Iterable[Any], indices: Iterable[int], start: int) -> Iterator[Row]:
    """Yield the rows at `indices` (ascending) of `batches`, whose first row is number `start`."""
    left = iter(indices)
    index = next(left, None)
    for batch in batches:
        while index is not None and index < start + batch.num_rows:
            (content,) = batch.slice(index - start, 1).to_pylist()
            yield Row(name, index + 1, content)
            index = next(left, None)
        if index is None:
            return
        start += batch.num_rows
