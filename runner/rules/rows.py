"""Rules on how many rows datasets have, and how many of them are the same."""

from __future__ import annotations

from collections.abc import Iterator

from runner.datasets.survey import shared
from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.schedule import planned
from runner.rules.sets import known_sets, stage_of, training_set

WORTH_SAYING = 0.01
"""Share of rows from which on a hint is given."""
FEW_PASSES = 3
"""Passes over the data beyond which rows that stand twice make no difference."""


def fill_a_step(subject: Subject) -> Iterator[Finding]:
    """The training set has the rows of at least one step: trainers drop an incomplete batch."""
    training, one = subject.spec.training, training_set(subject)
    if one is None or one.card.rows >= training.prompts_per_step:
        return
    rows = one.card.rows
    message = f"one step takes {training.prompts_per_step} prompts, the training set has {rows}"
    cure = f"write prompts_per_step: {rows} or less"
    yield subject.at(("training", "prompts_per_step"), message, cure)


def fill_a_validation(subject: Subject) -> Iterator[Finding]:
    """Validation sets fill a batch: the supervised trainer of verl gives NaN for a smaller one."""
    spec, step = subject.spec, subject.spec.training.prompts_per_step
    if spec.pin.name != "verl" or stage_of(subject) != "sft" or not spec.training.evaluate_every:
        return
    for one in known_sets(subject):
        if one.is_validation and one.card.rows < step:
            message = (
                f"`{one.key[-1]}` has {one.card.rows} rows, fewer than the {step} of a "
                "step: verl validates whole batches, and its loss would be NaN"
            )
            yield subject.at(one.key, message, "take more rows, or smaller steps")


def are_left_over(subject: Subject) -> Iterator[Finding]:
    """Steps divide the training set: rows that fill no step are left out of an epoch."""
    spec, one = subject.spec, training_set(subject)
    if one is None or spec.data is None or stage_of(subject) is None:
        return
    rows, step = one.card.rows, spec.training.prompts_per_step
    steps, left = divmod(rows, step)
    total = planned(subject)
    if left < rows * WORTH_SAYING or not steps or (total is not None and total <= steps):
        return
    used = f"{steps:,} steps an epoch use" if steps > 1 else "the one step of an epoch uses"
    which = "another" if spec.data.shuffle else "the same"
    message = (
        f"{used} {steps * step:,} of {rows:,} rows; each epoch leaves out {which} {left:,} "
        f"({100 * left / rows:.1f} %)"
    )
    cure = f"take a divisor of {rows:,}, or leave it: the order is another in each epoch"
    if not spec.data.shuffle:
        cure = f"take a divisor of {rows:,}, or shuffle"
    yield subject.at(("training", "prompts_per_step"), message, cure)


def are_different(subject: Subject) -> Iterator[Finding]:
    """Few rows of the training set stand there twice, where it is passed over a few times."""
    training, one = subject.spec.training, training_set(subject)
    if one is None or one.card.duplicates < one.card.rows * WORTH_SAYING:
        return
    steps = planned(subject)
    if steps is not None and steps * training.prompts_per_step > FEW_PASSES * one.card.rows:
        return
    twice = one.card.duplicates
    rows = "1 row" if twice == 1 else f"{twice:,} rows"
    share = f"{100 * twice / one.card.rows:.1f} %"
    verb = "is" if twice == 1 else "are"
    message = f"{rows} ({share}) of `{one.path}` {verb} equal to an earlier one"
    yield subject.at(one.key, message, "leave them out, unless they are to count more")


def are_held_out(subject: Subject) -> Iterator[Finding]:
    """Validation prompts are not trained on: cards sample the prompts of both sets alike."""
    train = training_set(subject)
    for one in known_sets(subject):
        if train is None or not one.is_validation:
            continue
        both, compared = shared(train.card.prompts, one.card.prompts)
        if both:
            share = f" ({both / compared:.0%})".replace("%", " %")
            message = (
                f"{both} of {compared} prompts of `{one.key[-1]}` that were compared{share} stand "
                "in the training set too"
            )
            cure = f"runner data check {subject.name} --deep   counts all of them"
            yield subject.at(one.key, message, cure)
