"""Checking a dataset row by row, for the training that reads it."""

from __future__ import annotations

from array import array
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from runner.datasets.formats import Content, Format, Stage, Unknown, of_any_stage, recognise
from runner.datasets.kinds import MISSING, Kinds, lookup
from runner.datasets.layout import laid_out
from runner.datasets.lengths import Overlong
from runner.datasets.problems import Problem, problems_of
from runner.datasets.reading import Dataset
from runner.datasets.row import Row
from runner.datasets.survey import Survey, quantiles
from runner.datasets.tokens import Counter
from runner.findings import Level
from runner.spec.cards import Quantiles

SAMPLE = 1000
"""Rows that are looked at without --deep, evenly spread."""
NAMED = 5
"""Rows that are named of each kind of problem."""
_BATCH = 256


class Purpose(NamedTuple):
    """What a dataset is read for."""

    stage: Stage | None = None
    """None: for whatever stage it has the columns of."""
    columns: Mapping[Content, str] = {}
    limit: int | None = None
    """Tokens that a row may have."""
    keys: str = ""
    """The keys of the spec that say the limit."""
    fate: Overlong | None = None
    """What the trainer does with longer rows."""


class Fault(NamedTuple):
    """What is wrong with rows of a dataset, one kind in one column."""

    level: Level
    kind: str
    column: str
    message: str
    """Of the first row."""
    number: int
    """How many rows have it."""
    rows: tuple[str, ...]
    """The first of them as `<file>:<line or row>`."""

    @property
    def told(self) -> str:
        """The message with the column at fault."""
        if not self.column or self.message.startswith(f"{self.column}["):
            return self.message
        return f"`{self.column}` {self.message}"


class Lengths(NamedTuple):
    """How long rows are, in tokens."""

    by: str
    """What counted them."""
    is_exact: bool
    quantiles: Quantiles
    limit: int | None
    over: int
    """Rows longer than the limit."""


class Checked(NamedTuple):
    """What is known of a dataset after a check."""

    rows: int
    read: int
    """Rows that were looked at."""
    format: Format | None
    columns: dict[str, str]
    faults: tuple[Fault, ...]
    """Errors first."""
    duplicates: int | None
    """Rows equal to an earlier one; None where not all rows were read."""
    repeated_prompts: int | None
    lengths: Lengths | None
    prompts: array[int]
    """Digests of the prompts of the rows that were read, in their order."""

    @property
    def is_whole(self) -> bool:
        """Whether all rows were read."""
        return self.read == self.rows

    @property
    def errors(self) -> int:
        """How many faults are errors."""
        return sum(fault.level == "error" for fault in self.faults)


def check(path: Path, purpose: Purpose, counter: Counter, sample: int | None = SAMPLE) -> Checked:
    """Check the dataset at `path`: `sample` rows of it, evenly spread, or all with None.

    Raises Refused when it is not there.
    """
    dataset = Dataset(path)
    wanted = dataset.all() if sample is None or dataset.rows <= sample else dataset.sample(sample)
    kinds = Kinds()
    for row in dataset.sample(SAMPLE):
        kinds.add(row.content)
    found = _format(kinds.columns(), purpose)
    form = found if isinstance(found, Format) else None
    work = _Work(form, purpose, counter)
    work.read(wanted)
    if isinstance(found, Unknown) and dataset.rows:
        work.faults.add(Problem("", "format", f"{found.message}; {found.cure}"), None)
    if not dataset.rows:
        work.faults.add(Problem("", "format", "has no rows"), None)
    return work.result(dataset.rows)


def _format(columns: dict[str, str], purpose: Purpose) -> Format | Unknown:
    if purpose.stage:
        return recognise(columns, purpose.stage, purpose.columns)
    formats = of_any_stage(columns)
    names = ", ".join(name for name in columns if "." not in name)
    message = f"has the columns {names}, which is no format of sft, rl or preference"
    return formats[0] if formats else Unknown(message, "see docs/data.md")


class _Faults:
    """Faults by column and kind, in the order in which they were found."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Problem] = {}
        self._counts: Tally[tuple[str, str]] = Tally()
        self._last: dict[tuple[str, str], tuple[str, int]] = {}
        self._rows: dict[tuple[str, str], list[str]] = {}

    def add(self, problem: Problem, row: Row | None) -> None:
        """Take down a `problem` of `row`; None: of the whole dataset."""
        key = (problem.column, problem.kind)
        if row and self._last.get(key) == (row.file, row.number):
            return  # once per row
        self._last[key] = (row.file, row.number) if row else ("", 0)
        self._first.setdefault(key, problem)
        self._counts[key] += 1
        rows = self._rows.setdefault(key, [])
        if row and len(rows) < NAMED:
            rows.append(f"{row.file}:{row.number}")

    def sorted(self) -> tuple[Fault, ...]:
        """Return them, errors first."""
        faults = (
            Fault(problem.level, kind, column, problem.message, self._counts[column, kind],
                  tuple(self._rows[column, kind]))
            for (column, kind), problem in self._first.items()
        )  # fmt: skip
        return tuple(sorted(faults, key=lambda fault: fault.level != "error"))


class _Work:
    """Rows being checked."""

    def __init__(self, form: Format | None, purpose: Purpose, counter: Counter) -> None:
        self._form = form
        self._purpose = purpose
        self._counter = counter
        self._survey = Survey(form)
        self._lengths: Tally[int] = Tally()
        self._over = 0
        self._read = 0
        self._tools: Any = None
        self.faults = _Faults()

    def read(self, rows: Iterable[Row]) -> None:
        """Check `rows`, in batches."""
        source = iter(rows)
        while batch := list(islice(source, _BATCH)):
            self._read += len(batch)
            sound = [row for row in batch if self._is_sound(row)]
            if self._form:
                self._measure(sound, self._form)

    def _is_sound(self, row: Row) -> bool:
        if row.fault:
            self.faults.add(Problem("", "json", f"is {row.fault}"), row)
            return False
        self._survey.add(row.content)
        problems = list(problems_of(row.content, self._form)) if self._form else []
        problems += self._other_tools(row)
        for problem in problems:
            self.faults.add(problem, row)
        return not any(problem.level == "error" for problem in problems)

    def _other_tools(self, row: Row) -> Iterator[Problem]:
        """Yield that a row's tools are others than the first row's."""
        column = self._form.column("tools") if self._form else None
        tools = lookup(row.content, column) if column else MISSING
        if column is None or tools is MISSING or tools is None:
            return
        if self._tools is None:
            self._tools = tools
        elif tools != self._tools:
            message = (
                "are others than the first row's: a table has one shape for all, in which each "
                "schema gets the parameters of the others as null"
            )
            yield Problem(column, "differ", message, "hint")

    def _measure(self, rows: list[Row], form: Format) -> None:
        contents = [laid_out(row.content, form, 0) for row in rows]
        for row, length in zip(rows, self._counter.count(contents, form.stage), strict=True):
            if length.refusal:
                message = f"is refused by the model's chat template: {length.refusal}"
                self.faults.add(Problem("", "template", message), row)
                continue
            self._lengths[length.tokens] += 1
            if self._purpose.limit is not None and length.tokens > self._purpose.limit:
                self._over += 1
                self.faults.add(self._overlong(length.tokens), row)

    def _overlong(self, tokens: int) -> Problem:
        purpose, exact = self._purpose, self._counter.is_exact
        fate = purpose.fate or Overlong(False, "")
        about = "" if exact else "about "
        message = f"has {about}{tokens:,} tokens, over {purpose.limit:,} ({purpose.keys})"
        message += f": {fate.says}" if fate.says else ""
        return Problem("", "overlong", message, "error" if fate.stops and exact else "hint")

    def result(self, rows: int) -> Checked:
        """Return what was found in a dataset of `rows`."""
        survey, is_whole = self._survey, self._read == rows
        lengths = None
        if self._lengths:
            told = quantiles(self._lengths)
            by, exact, limit = self._counter.name, self._counter.is_exact, self._purpose.limit
            lengths = Lengths(by, exact, told, limit, self._over)
        return Checked(
            rows=rows,
            read=self._read,
            format=self._form,
            columns=survey.kinds.columns(),
            faults=self.faults.sorted(),
            duplicates=survey.duplicates if is_whole else None,
            repeated_prompts=survey.repeated_prompts if is_whole and self._form else None,
            lengths=lengths,
            prompts=survey.prompts,
        )


class Overlap(NamedTuple):
    """Prompts of a validation set that are trained on."""

    number: int
    rows: tuple[int, ...]
    """The first of them, counted from 1 among the rows of the validation set."""


def overlap(train: Checked, val: Checked) -> Overlap | None:
    """Return which prompts of `val` stand in `train`; None where not all rows were read."""
    if not train.is_whole or not val.is_whole or not train.format or not val.format:
        return None
    wanted = set(val.prompts)
    known = {prompt for prompt in train.prompts if prompt in wanted}
    rows = [row for row, prompt in enumerate(val.prompts, 1) if prompt and prompt in known]
    return Overlap(len(rows), tuple(rows[:NAMED]))


def document(checked: Checked) -> dict[str, Any]:
    """Return what `data check --json` prints of a dataset."""
    kept = checked._asdict()
    del kept["prompts"]
    lengths = checked.lengths
    return {
        **kept,
        "format": checked.format.name if checked.format else None,
        "stage": checked.format.stage if checked.format else None,
        "faults": [fault._asdict() for fault in checked.faults],
        "lengths": {**lengths._asdict(), "quantiles": lengths.quantiles.model_dump()}
        if lengths
        else None,
    }
