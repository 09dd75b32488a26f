"""The datasets of an experiment, or one on its own, checked together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from runner.datasets.check import SAMPLE, Checked, Overlap, Purpose, check, document, overlap
from runner.datasets.lengths import fate_of, limit_of
from runner.datasets.tokens import Counter, Estimate, Tokenizer, tokenizer_folder
from runner.errors import Refused
from runner.spec.experiment import Experiment


class Reviewed(NamedTuple):
    """A dataset after its check."""

    path: str
    role: str
    """`train`, `val/<name>`, or empty for a dataset on its own."""
    checked: Checked


class Leak(NamedTuple):
    """How far a validation set is trained on."""

    name: str
    overlap: Overlap | None
    """None where not all rows were read."""


class Review(NamedTuple):
    """What checking found."""

    sets: tuple[Reviewed, ...]
    leaks: tuple[Leak, ...]

    @property
    def errors(self) -> int:
        """How many kinds of faults training would fail with."""
        return sum(one.checked.errors for one in self.sets)

    def document(self) -> dict[str, Any]:
        """Return the JSON of `data check --json`."""
        sets = [{"path": one.path, "role": one.role, **document(one.checked)} for one in self.sets]
        leaks = [
            {"val": leak.name, "compared": leak.overlap is not None,
             **(leak.overlap._asdict() if leak.overlap else {"number": None, "rows": []})}
            for leak in self.leaks
        ]  # fmt: skip
        return {"datasets": sets, "overlap": leaks}


def review_path(root: Path, path: str, sample: int | None = SAMPLE) -> Review:
    """Check the dataset at `path` on its own, for whatever training it has the columns of.

    Raises Refused when it is not there.
    """
    counter = Estimate("no model is named; check an experiment for its own")
    checked = check(root / path, Purpose(), counter, sample)
    return Review((Reviewed(path, "", checked),), ())


def review(root: Path, spec: Experiment, python: str, sample: int | None = SAMPLE) -> Review:
    """Check the datasets of `spec` below `root` for its training; `python` may have its tokenizer.

    Raises Refused when one of them is not there, or the spec has none.
    """
    if spec.data is None or spec.algorithm is None:
        raise Refused("the experiment names no datasets, or no algorithm that reads them")
    stage = spec.algorithm.terms().stage
    limit, keys = limit_of(spec.data, stage)
    purpose = Purpose(stage, spec.data.columns, limit, keys, fate_of(spec, stage))
    with ExitStack() as stack:
        counter = _counter(root, spec, python, stack)
        sets = tuple(
            Reviewed(path, role, check(root / path, purpose, counter, sample))
            for role, path in places(spec)
        )
    train, *vals = sets
    leaks = (Leak(val.role[4:], overlap(train.checked, val.checked)) for val in vals)
    return Review(sets, tuple(leaks))


def places(spec: Experiment) -> Iterator[tuple[str, str]]:
    """Yield role and path of each dataset, the training set first."""
    if spec.data:
        yield "train", spec.data.train
        for name, path in spec.data.val.items():
            yield f"val/{name}", path


def _counter(root: Path, spec: Experiment, python: str, stack: ExitStack) -> Counter:
    """Return the model's tokenizer, where it and an environment to run it in are at hand."""
    model = spec.model
    folder = tokenizer_folder(root, model) if model else None
    if folder is None or model is None:
        return Estimate(f"the tokenizer of {model.path if model else 'no model'} is not here")
    if not os.access(python, os.X_OK):
        return Estimate("there is no training environment here, which the tokenizer needs")
    tokenizer = stack.enter_context(Tokenizer(python, folder, model.path))
    if tokenizer.works():
        return tokenizer
    return Estimate(f"`transformers` of {python} cannot load the tokenizer")
