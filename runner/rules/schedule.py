"""Rules on how long a run is, and on what it saves and measures on its way."""

from __future__ import annotations

import math
from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.trainers.base import steps_planned


def planned(subject: Subject) -> int | None:
    """Return the steps that the spec plans; None where it takes rows that no card states."""
    data = subject.spec.data
    rows = subject.context.cards.rows(data.train) if data else None
    return steps_planned(subject.spec.training, rows)


def length(subject: Subject) -> Iterator[Finding]:
    """`training` says how long: `epochs` or `steps`."""
    training = subject.spec.training
    if training.epochs is None and training.steps is None:
        message = "nothing says how long to train"
        yield subject.at(("training",), message, "add `epochs:` or `steps:`", on_key=True)


def warmup(subject: Subject) -> Iterator[Finding]:
    """The learning rate's warmup ends before training does."""
    steps, first = planned(subject), subject.spec.training.warmup_steps
    if steps is not None and first >= steps > 0 and first:
        rate = subject.spec.training.learning_rate
        message = f"the warmup takes {first} of {steps} steps: {rate:g} is never trained at"
        usual = f"such as {max(1, steps // 20)}" if steps > 1 else "0"
        yield subject.at(("training", "warmup_steps"), message, f"write fewer, {usual}")


def evaluates(subject: Subject) -> Iterator[Finding]:
    """What is validated has a validation set: verl would take the training set without a word."""
    spec = subject.spec
    if spec.pin.name == "script" or spec.data is None or spec.data.val:
        return
    for key in ("evaluate_every", "evaluate_before_training"):
        if getattr(spec.training, key):
            message = "there is no validation set to evaluate on"
            cure = f"add one to `data.val`, or delete `{key}`"
            yield subject.at(("training", key), message, cure, on_key=True)
            return


def saves(subject: Subject) -> Iterator[Finding]:
    """What is said about checkpoints has some: without `save_every` nothing is ever saved.

    But for verl's supervised trainer, which saves the last step whatever it is told
    (trainer/sft_trainer.py).
    """
    spec = subject.spec
    if spec.training.save_every is not None or spec.pin.name == "script":
        return
    if spec.pin.name == "verl" and spec.algorithm and spec.algorithm.terms().stage == "sft":
        return
    for key in ("keep_best", "keep_last", "export"):
        said = subject.marks.find(("checkpoints", key))
        if said is not None and said.value != "none":
            message = f"`checkpoints.{key}` has nothing to keep: the run saves no checkpoint"
            yield subject.at(("checkpoints", key), message, "add `training.save_every`",
                             on_key=True)  # fmt: skip
            return


def best(subject: Subject) -> Iterator[Finding]:
    """The best checkpoint is known: each one that is saved is measured."""
    training, checkpoints = subject.spec.training, subject.spec.checkpoints
    saved, measured = training.save_every, training.evaluate_every
    if not (checkpoints.keep_best or "").startswith("val/") or not saved or not measured:
        return
    if saved % measured:
        both = math.lcm(saved, measured)
        message = f"of the checkpoints of every {saved} steps only those of every {both} are "
        message += f"measured (evaluate_every: {measured}): the best may be another"
        yield subject.at(("training", "save_every"), message, f"write a multiple of {measured}")
