"""Rules on the arithmetic of batches and of the devices that share them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.experiment import Experiment


class Share(NamedTuple):
    """What the ranks that hold whole sequences get of a step or an update."""

    key: str
    prompts: int
    group: int
    ranks: int

    @property
    def samples(self) -> int:
        """Answers (rows, in supervised training; pairs, of preferences) over all ranks."""
        return self.prompts * self.group

    def __str__(self) -> str:
        """Spell the samples with where they come from."""
        return f"{self.prompts} x {self.group} = {self.samples}" if self.group > 1 else str(
            self.prompts
        )  # fmt: skip


def shares(spec: Experiment) -> tuple[Share, ...]:
    """Return the shares of `spec`'s step and update; none where a script divides them itself.

    Devices that share a sequence (Ulysses) are one rank of data parallelism.
    """
    if spec.pin.name == "script" or spec.algorithm is None:
        return ()
    group = spec.algorithm.terms().group_size
    ranks = max(1, spec.resources.devices // (spec.training.sequence_parallel or 1))
    keys = ("prompts_per_step", "prompts_per_update")
    said = ((key, getattr(spec.training, key)) for key in keys)
    return tuple(Share(key, prompts, group, ranks) for key, prompts in said if prompts)


def divides(subject: Subject) -> Iterator[Finding]:
    """`prompts_per_step` is a multiple of `prompts_per_update`."""
    training = subject.spec.training
    step, update = training.prompts_per_step, training.prompts_per_update
    if update is None or step % update == 0:
        return
    message = f"{step} prompts per step do not divide into updates of {update}: "
    message += f"{step % update} would be left over"
    cure = f"write prompts_per_update: {_near(step, update)}"
    key = ("training", "prompts_per_update")
    yield subject.at(key, message, cure, instead=_dividing_update(subject.spec, step, update))


def _dividing_update(spec: Experiment, step: int, update: int) -> str:
    """Return the number for `prompts_per_update` that also divides over the devices, if near."""
    samples = [share for share in shares(spec) if share.key == "prompts_per_update"]
    for near in _nearest(step, update):
        if all(near * share.group % share.ranks == 0 for share in samples):
            return str(near)
    return ""


def devices(subject: Subject) -> Iterator[Finding]:
    """The samples of a step and of an update divide over the devices.

    verl utils/config.py and engine_workers.py; SkyRL distributed/dispatch.py; with TRL a step is a
    whole number of samples per process.
    """
    sequence = subject.spec.training.sequence_parallel or 1
    for share in shares(subject.spec):
        if share.samples % share.ranks:
            over = f"{share.ranks} devices"
            if sequence > 1:
                over = f"{share.ranks} groups of {sequence} devices"
            message = f"{share} samples do not divide over {over}"
            cure = f"take a multiple of {share.ranks}"
            yield subject.at(("training", share.key), message, cure)


def samples(subject: Subject) -> Iterator[Finding]:
    """`samples_per_device` divides what a device gets of a step and of an update.

    verl splits each device's samples into passes of exactly that size (workers/engine/utils.py) and
    fails at the first step where they do not divide, minutes after the start; SkyRL asserts the
    same (train/utils/utils.py); TRL would take another number of prompts than the spec says.
    """
    each = subject.spec.training.samples_per_device
    for share in shares(subject.spec) if each else ():
        whole, left = divmod(share.samples, share.ranks)
        if each and not left and whole % each:
            message = f"a device's {whole} samples do not divide into passes of {each}"
            cure = f"write samples_per_device: {_near(whole, each)}"
            yield subject.at(("training", "samples_per_device"), message, cure)
            return


def tokens(subject: Subject) -> Iterator[Finding]:
    """`tokens_per_device` stands alone, and has room for the longest prompt with its answer.

    verl utils/seqlen_balancing.py: "max_token_len must be greater than the sequence length", where
    devices that share a sequence add up.
    """
    training, data = subject.spec.training, subject.spec.data
    budget, key = training.tokens_per_device, ("training", "tokens_per_device")
    if budget is None:
        return
    if training.samples_per_device is not None:
        message = f"passes are cut by tokens ({budget}) or by samples "
        message += f"({training.samples_per_device}), not by both"
        yield subject.at(key, message, "delete one of tokens_per_device and samples_per_device")
    sequence = training.sequence_parallel or 1
    longest = data.max_prompt_tokens + data.max_response_tokens if data else 0
    if budget * sequence < longest:
        room = f"{budget} x {sequence} = {budget * sequence}" if sequence > 1 else str(budget)
        message = f"{room} tokens have no room for a prompt and answer of {longest}"
        cure = f"write tokens_per_device: {-(-longest // sequence)} or more; twice as much is usual"
        yield subject.at(key, message, cure)


def _near(number: int, wanted: int) -> str:
    """Return the one or two divisors of `number` that are nearest to `wanted`, in words."""
    return " or ".join(str(divisor) for divisor in _nearest(number, wanted))


def _nearest(number: int, wanted: int) -> list[int]:
    small = {one for one in range(1, int(number**0.5) + 1) if number % one == 0}
    divisors = {*small, *(number // one for one in small)}
    return sorted(divisors, key=lambda divisor: (abs(divisor - wanted), divisor))[:2]
