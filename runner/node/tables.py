"""Datasets as trainers read them: Parquet, in the layout of the stage of training.

Rows are read, laid out and written in batches; a dataset is never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from runner.datasets.formats import Content, Format, Stage, Unknown, recognise
from runner.datasets.kinds import Kinds
from runner.datasets.layout import KEPT, laid_out
from runner.datasets.problems import problems_of
from runner.datasets.reading import Dataset
from runner.datasets.row import Row
from runner.datasets.tables import BATCH, ParquetTable
from runner.errors import Refused

Batch = list[tuple[Row, dict[str, Any]]]
"""Rows as they are, and laid out."""
LOOKED_AT = 1000
"""Rows that the format is told from, evenly spread."""


def to_parquet(
    source: Path,
    target: Path,
    stage: Stage,
    columns: Mapping[Content, str],
    name: str | None = None,
) -> int:
    """Write the dataset at `source` to `target` as trainers read it; return how many rows it has.

    `columns` is the spec's `data.columns`, `name` that of a validation set (see `laid_out`). Raises
    Refused when the dataset is not there, or is in no format of `stage`, with the row at fault.
    """
    dataset = Dataset(source)
    form = format_of(dataset, stage, columns)
    target.parent.mkdir(parents=True, exist_ok=True)
    tables = _laid_out_tables(dataset, form) if name is None else None
    if tables is not None:
        return _copy(tables, target)
    return _Conversion(dataset, form, name).write(target)


def format_of(dataset: Dataset, stage: Stage, columns: Mapping[Content, str]) -> Format:
    """Return the format of `dataset` for `stage`; raises Refused when it has none."""
    kinds = Kinds()
    for row in dataset.sample(LOOKED_AT):
        kinds.add(_sound(row).content)
    found = recognise(kinds.columns(), stage, columns)
    if isinstance(found, Unknown):
        raise Refused(f"{dataset.path.name}: {found.message}", cure=found.cure)
    return found


class _Conversion:
    """Rows on their way from one format to a layout.

    The schema of a Parquet file is fixed when its first rows are written, and rows of JSON may say
    something new at any time: a first pass brings the schemas of all batches together.
    """

    def __init__(self, dataset: Dataset, form: Format, name: str | None) -> None:
        self._dataset = dataset
        self._form = form
        self._name = name

    def write(self, target: Path) -> int:
        import pyarrow.parquet as parquet

        schema, rows = None, 0
        for batch in self._batches():
            schema = self._merged(schema, batch)
        if schema is None:
            raise Refused(f"{self._dataset.path.name} has no rows")
        with parquet.ParquetWriter(target, schema) as writer:
            for batch in self._batches():
                writer.write_table(_table(batch, schema))
                rows += len(batch)
        return rows

    def _batches(self) -> Iterator[Batch]:
        rows = self._dataset.all()
        first = 0
        while batch := list(islice(rows, BATCH)):
            yield [(row, self._laid_out(row, first + n)) for n, row in enumerate(batch)]
            first += len(batch)

    def _laid_out(self, row: Row, index: int) -> dict[str, Any]:
        content = _sound(row).content
        try:
            found: dict[str, Any] = _without_empty(laid_out(content, self._form, index, self._name))
        except (TypeError, ValueError, AttributeError) as error:
            problem = next(problems_of(content, self._form), None)
            told = f"`{problem.column}` {problem.message}" if problem else str(error)
            raise Refused(f"{row.file}:{row.number}: {told}", cure="runner data check") from error
        return found

    def _merged(self, schema: Any, batch: Batch) -> Any:
        import pyarrow

        try:
            own = _table(batch).schema
            schemas = [own] if schema is None else [schema, own]
            return pyarrow.unify_schemas(schemas, promote_options="permissive")
        except pyarrow.ArrowException as error:
            raise Refused(
                f"{self._dataset.path.name}: rows {batch[0][0].number} to {batch[-1][0].number} "
                f"do not fit into one table with those before them: {error}",
                cure="give each column one type: text, or numbers",
            ) from error


def _table(batch: Batch, schema: Any = None) -> Any:
    """Return a table with the columns of all rows; pyarrow itself would take those of the first."""
    import pyarrow

    names = schema.names if schema else dict.fromkeys(name for _, row in batch for name in row)
    columns = {name: [row.get(name) for _, row in batch] for name in names}
    return pyarrow.Table.from_pydict(columns, schema=schema)


def _without_empty(value: Any) -> Any:
    """Return `value` with null for objects without a field: Parquet has no room for those."""
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items()} or None
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _sound(row: Row) -> Row:
    if row.fault:
        raise Refused(f"{row.file}:{row.number} is {row.fault}", cure="correct the line")
    return row


def _laid_out_tables(dataset: Dataset, form: Format) -> list[ParquetTable] | None:
    """Return the Parquet files of a dataset that has the layout already; None of another."""
    if any(part.kind != "parquet" for part in dataset.parts):
        return None
    tables = [ParquetTable(part.path) for part in dataset.parts]
    schema = tables[0].schema
    same = all(table.schema.equals(schema) for table in tables)
    return tables if same and _has_layout(schema, form) else None


def _has_layout(schema: Any, form: Format) -> bool:
    """Whether a table of `schema` needs no conversion."""
    import pyarrow.types as types

    kinds = {field.name: field.type for field in schema}
    lists = {name for name, kind in kinds.items() if types.is_list(kind)}
    if form.stage == "sft":
        has_others = bool(set(kinds) - {"messages", "tools", *KEPT})
        are_lists = set(kinds) & {"messages", "tools"} <= lists
        return form.name == "messages" and are_lists and not has_others
    if form.stage == "preference":
        return False  # whether answers repeat the prompt is to be seen in each row
    fields = {
        f"{name}.{kind.field(number).name}"
        for name, kind in kinds.items()
        if types.is_struct(kind)
        for number in range(kind.num_fields)
    }
    needed = {"data_source", "ability", "reward_model.style", "extra_info.index"}
    is_usual = form.name == "prompt + reward_model.ground_truth" and "prompt" in lists
    is_usual = is_usual and form.optional == {"data_source": "data_source"}
    return is_usual and needed <= fields | set(kinds)


def _copy(tables: Iterable[ParquetTable], target: Path) -> int:
    import pyarrow.parquet as parquet

    sources, rows = list(tables), 0
    with parquet.ParquetWriter(target, sources[0].schema) as writer:
        for table in sources:
            for batch in table.batches():
                writer.write_batch(batch)
                rows += batch.num_rows
    return rows
