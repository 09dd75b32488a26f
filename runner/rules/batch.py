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


def devices(subject: Subject) -> Iterator[Finding]:
    """The samples of a step and of an update divide over the devices (verl utils/config.py)."""
    spec = subject.spec
    if spec.pin.name == "script" or spec.algorithm is None:
        return
    group, count = spec.algorithm.terms().group_size, spec.resources.devices
    for key in ("prompts_per_step", "prompts_per_update"):
        prompts = getattr(spec.training, key)
        if prompts is not None and prompts * group % count:
            of = f"{prompts} x {group} = {prompts * group}" if group > 1 else str(prompts)
            message = f"{of} samples do not divide over {count} devices"
            yield subject.at(("training", key), message, f"take a multiple of {count}")


def samples(subject: Subject) -> Iterator[Finding]:
    """`samples_per_device` divides what a device gets of a step and of an update.

    verl splits each device's samples into passes of exactly that size (workers/engine/utils.py) and
    fails at the first step where they do not divide, minutes after the start.
    """
    spec = subject.spec
    each = spec.training.samples_per_device
    if each is None or spec.pin.name == "script" or spec.algorithm is None:
        return
    group, count = spec.algorithm.terms().group_size, spec.resources.devices
    for prompts in (spec.training.prompts_per_step, spec.training.prompts_per_update):
        if prompts is None or prompts * group % count:
            continue
        share = prompts * group // count
        if share % each:
            message = f"a device's {share} samples do not divide into passes of {each}"
            near = sorted(_divisors(share), key=lambda divisor: (abs(divisor - each), divisor))[:2]
            cure = f"write samples_per_device: {' or '.join(str(one) for one in near)}"
            yield subject.at(("training", "samples_per_device"), message, cure)
            return


def length(subject: Subject) -> Iterator[Finding]:
    """`training` says how long: `epochs` or `steps`."""
    training = subject.spec.training
    if training.epochs is None and training.steps is None:
        message = "nothing says how long to train"
        yield subject.at(("training",), message, "add `epochs:` or `steps:`", on_key=True)


def _divisors(number: int) -> set[int]:
    small = [one for one in range(1, int(number**0.5) + 1) if number % one == 0]
    return {*small, *(number // one for one in small)}
