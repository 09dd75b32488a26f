"""Rules on the arithmetic of batches and steps."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject


def divides(subject: Subject) -> Iterator[Finding]:
    """`prompts_per_step` is a multiple of `prompts_per_update`."""
    training = subject.spec.training
    step, update = training.prompts_per_step, training.prompts_per_update
    if update is None or step % update == 0:
        return
    message = f"{step} prompts per step do not divide into updates of {update}: "
    message += f"{step % update} would be left over"
    near = sorted(_divisors(step), key=lambda divisor: (abs(divisor - update), divisor))[:2]
    cure = f"write prompts_per_update: {' or '.join(str(divisor) for divisor in near)}"
    yield subject.at(("training", "prompts_per_update"), message, cure)


def length(subject: Subject) -> Iterator[Finding]:
    """`training` says how long: `epochs` or `steps`."""
    training = subject.spec.training
    if training.epochs is None and training.steps is None:
        message = "nothing says how long to train"
        yield subject.at(("training",), message, "add `epochs:` or `steps:`", on_key=True)


def _divisors(number: int) -> set[int]:
    small = [one for one in range(1, int(number**0.5) + 1) if number % one == 0]
    return {*small, *(number // one for one in small)}
