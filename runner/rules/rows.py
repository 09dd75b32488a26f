"""Rules on how many rows a dataset has; they need its card (`runner data card --write`)."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject


def fill_a_step(subject: Subject) -> Iterator[Finding]:
    """The training set has the rows of at least one step: trainers drop an incomplete batch."""
    data, training = subject.spec.data, subject.spec.training
    rows = subject.context.cards.rows(data.train) if data else None
    if rows is None or rows >= training.prompts_per_step:
        return
    message = f"one step takes {training.prompts_per_step} prompts, the training set has {rows}"
    cure = f"write prompts_per_step: {rows} or less"
    yield subject.at(("training", "prompts_per_step"), message, cure)


def fill_a_validation(subject: Subject) -> Iterator[Finding]:
    """Validation sets fill a batch: the supervised trainer of verl gives NaN for a smaller one."""
    spec = subject.spec
    is_sft = spec.algorithm is not None and spec.algorithm.terms().stage == "sft"
    if not (is_sft and spec.pin.name == "verl" and spec.data and spec.training.evaluate_every):
        return
    for name, path in spec.data.val.items():
        rows = subject.context.cards.rows(path)
        if rows is not None and rows < spec.training.prompts_per_step:
            message = (
                f"`{name}` has {rows} rows, fewer than the {spec.training.prompts_per_step} of a "
                "step: verl validates whole batches, and its loss would be NaN"
            )
            yield subject.at(("data", "val", name), message, "take more rows, or smaller steps")
