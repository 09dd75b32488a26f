"""What a trainer is to the rest of the product.

A trainer turns a run and the places of its files into one command, says which terms of an
algorithm it cannot express, and translates its own metrics and checkpoints. It is imported by the
control environment, so it loads nothing of the trainer itself.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from runner.spec.experiment import Experiment, Run
from runner.spec.training import Training


class Layout(NamedTuple):
    """Where a run's files are on the training machine; absolute paths, `$NAMES` in previews."""

    python: str
    """Python of the training environment."""
    code: str
    """The files of the recorded commit."""
    train: str
    """Training set in the trainer's own format."""
    val: Mapping[str, str]
    """Validation sets by name."""
    model: str
    """Folder of the model, or its name on a hub."""
    checkpoints: str
    metrics: str
    """The file that the trainer writes its metrics to."""
    config: str
    """Folder in which a trainer may leave its resolved config."""
    samples: str
    """Folder for generated answers."""
    inside: str
    """Modules for the trainer's own processes (`runner/node/inside`)."""


class Setting(NamedTuple):
    """A value of the trainer's config, and where it comes from."""

    value: Any
    origin: str
    """`spec: <key>`, `algorithm: <name>`, `node`, `cpu` or `overrides`."""


class Command(NamedTuple):
    """What starts the trainer."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    settings: dict[str, Setting]
    """The config that argv carries, by key, with origins; for `runner render --what config`."""


class Refusal(NamedTuple):
    """Something that a spec asks for and its trainer has no key for."""

    path: tuple[str, ...]
    """The key of the spec."""
    message: str
    cure: str


class MetricLine(NamedTuple):
    """One step's raw metrics, as the trainer wrote them."""

    step: int
    values: dict[str, float]


def finite(values: Mapping[str, object]) -> dict[str, float]:
    """Return those of `values` that are finite numbers; the ledger has no room for others."""
    numbers = {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    # An integer beyond the largest float is no measurement either; comparing does not convert it.
    limit = sys.float_info.max
    return {name: float(value) for name, value in numbers.items() if -limit <= value <= limit}


def whole_step(value: object) -> int | None:
    """Return the number of a step; None for what is no whole number from 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def metric_line(line: str) -> MetricLine | None:
    """Read `{"step": …, "data": {…}}`, the line of a metrics file; None when it is no such line."""
    try:
        entry = json.loads(line)
        step, data = whole_step(entry["step"]), dict(entry["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None if step is None else MetricLine(step, finite(data))


def finished_steps(folder: Path, tracker: str) -> list[tuple[int, Path]]:
    """Return the folders `global_step_<n>` that are not newer than the file `tracker` says.

    It is written last: none is finished without it, or when it is being written.
    """
    try:
        newest = int((folder / tracker).read_text())
    except (OSError, ValueError):
        return []
    found = ((_GLOBAL_STEP.fullmatch(path.name), path) for path in folder.glob("global_step_*"))
    steps = ((int(match[1]), path) for match, path in found if match)
    return sorted(one for one in steps if one[0] <= newest)


_GLOBAL_STEP = re.compile(r"global_step_(\d+)")


class SavedCheckpoint(NamedTuple):
    """A complete checkpoint on disk."""

    step: int
    folder: Path
    export: Path | None
    """Folder in Hugging Face format inside it, when the trainer wrote one."""


Start = Literal["first", "all"]
"""The nodes on which a command starts: one process drives the others, or torchrun joins them."""


class Trainer(Protocol):
    """A trainer, such as verl."""

    name: str
    versions: tuple[str, ...]
    """The versions whose keys it writes; none for a script."""
    wants_parquet: bool
    """Whether datasets are converted to Parquet for it; else it gets them as they are."""

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """Return what `spec` asks for and the trainer cannot express; empty when it can all."""

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return the command for `run` with its files in `layout`, ending after `steps`."""

    def parse(self, line: str) -> MetricLine | None:
        """Return the metrics of one line of the metrics file; None when it holds none."""

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Return the canonical metrics among raw `values`."""

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield the complete checkpoints below `folder`, oldest first."""

    def resume(self, folder: Path, step: int) -> None:
        """Make the trainer continue from the checkpoint of `step` that was put into `folder`."""

    def needs_ray(self, run: Run) -> bool:
        """Whether a Ray cluster has to be up before the command starts."""

    def starts_on(self, run: Run) -> Start:
        """Return where the command starts when there are several nodes.

        What starts on all is told its rank and the first node's address by its environment
        (`runner.node.ranks.variables`).
        """


def planned_steps(run: Run, rows: int | None) -> int | None:
    """Return the steps that `run` plans; see `steps_planned`."""
    return steps_planned(run.spec.training, rows)


def steps_planned(training: Training, rows: int | None) -> int | None:
    """Return the steps that are planned: `steps`, or whole batches of `rows` times `epochs`.

    Trainers drop the last, incomplete batch of an epoch. None when it takes `rows` to know and
    they are not known.
    """
    if training.steps is not None:
        return training.steps
    if training.epochs is None or rows is None:
        return None
    return training.epochs * (rows // training.prompts_per_step)
