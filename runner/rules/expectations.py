"""Rules on `expect`: what is asserted must be measured."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.schedule import planned
from runner.spec.fields import nearest
from runner.spec.node import Path


def measurable(subject: Subject) -> Iterator[Finding]:
    """A validation metric that is asserted or kept by belongs to a set that is evaluated."""
    if subject.spec.pin.name == "script":
        return
    for path, metric, statistics in _named(subject):
        if metric.startswith("val/"):
            problem = _unknown_set(subject, metric) or _unmeasured(subject, metric, statistics)
            if problem:
                yield subject.at(path, *problem)


def moves(subject: Subject) -> Iterator[Finding]:
    """The difference of two statistics has two measurements to differ by."""
    steps = planned(subject)
    if steps is None or subject.spec.pin.name == "script":
        return
    for index, one in enumerate(subject.spec.expect):
        times = _measured(subject, one.metric, steps)
        if one.minus is not None and times == 1:
            message = f"`{one.term} - {one.minus}` is always 0: `{one.metric}` is measured once"
            cure = "add `training.evaluate_before_training: true`, or evaluate more often"
            if not one.metric.startswith("val/"):
                cure = "train for more steps"
            yield subject.at(("expect", index), message, cure)


def _measured(subject: Subject, metric: str, steps: int) -> int:
    """Return how often `metric` is measured in `steps`.

    The last step is validated too (verl trainer/ppo/v1/trainer_base.py and trainer/sft_trainer.py,
    SkyRL train/trainer.py, transformers' trainer_callback.py).
    """
    training = subject.spec.training
    if not metric.startswith("val/"):
        return steps
    every = training.evaluate_every
    inside = -(-steps // every) if every else 0
    return inside + training.evaluate_before_training


def _named(subject: Subject) -> Iterator[tuple[Path, str, set[str]]]:
    for index, one in enumerate(subject.spec.expect):
        yield ("expect", index), one.metric, {one.term, one.minus or one.term}
    if subject.spec.checkpoints.keep_best:
        yield ("checkpoints", "keep_best"), subject.spec.checkpoints.keep_best, {"max"}


def _unknown_set(subject: Subject, metric: str) -> tuple[str, str] | None:
    sets = list(subject.spec.data.val) if subject.spec.data else []
    name = metric.split("/")[1] if metric.count("/") > 1 else None
    if not sets:
        message = f"`{metric}` is not measured: the spec has no validation set"
        return message, "add one to `data.val`"
    if name is None or name in sets:
        return None
    near = nearest(name, sets)
    meant = metric.replace(f"/{name}/", f"/{near}/")
    cure = f"did you mean `{meant}`?" if near else f"use one of: {', '.join(sets)}"
    return f"`{metric}` is not measured: `data.val` has no set `{name}`", cure


def _unmeasured(subject: Subject, metric: str, statistics: set[str]) -> tuple[str, str] | None:
    training = subject.spec.training
    if training.evaluate_every is not None:
        return None
    if statistics != {"first"}:
        return f"`{metric}` is not measured during training", "add `training.evaluate_every`"
    if training.evaluate_before_training:
        return None
    cure = "add `training.evaluate_before_training: true`, or `evaluate_every`"
    return f"the first value of `{metric}` is not measured", cure
