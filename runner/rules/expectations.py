"""Rules on `expect`: what is asserted must be measured."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.expectation import Expectation
from runner.spec.fields import nearest
from runner.spec.node import Path


def measurable(subject: Subject) -> Iterator[Finding]:
    """A validation metric that is asserted or kept by belongs to a set that is evaluated."""
    if subject.spec.pin.name == "script":
        return
    for index, expectation in enumerate(subject.spec.expect):
        path = ("expect", index, expectation.metric)
        if expectation.metric.startswith("val/"):
            yield from _validated(subject, path, expectation.metric, _statistics(expectation))
    best = subject.spec.checkpoints.keep_best
    if best and best.startswith("val/"):
        yield from _validated(subject, ("checkpoints", "keep_best"), best, {"max"})


def _statistics(expectation: Expectation) -> set[str]:
    return {expectation.term, expectation.minus or expectation.term}


def _validated(
    subject: Subject, path: Path, metric: str, statistics: set[str]
) -> Iterator[Finding]:
    sets = list(subject.spec.data.val) if subject.spec.data else []
    name = metric.split("/")[1] if metric.count("/") > 1 else None
    on_key = path[0] == "expect"
    if not sets:
        message = f"`{metric}` is not measured: the spec has no validation set"
        yield subject.at(path, message, "add one to `data.val`", on_key=on_key)
    elif name is not None and name not in sets:
        near = nearest(name, sets)
        cure = f"did you mean `{metric.replace(f'/{name}/', f'/{near}/')}`?" if near else (
            f"use one of: {', '.join(sets)}"
        )  # fmt: skip
        message = f"`{metric}` is not measured: `data.val` has no set `{name}`"
        yield subject.at(path, message, cure, on_key=on_key)
    training = subject.spec.training
    if training.evaluate_every is not None:
        return
    if statistics != {"first"}:
        message = f"`{metric}` is not measured during training"
        yield subject.at(path, message, "add `training.evaluate_every`", on_key=on_key)
    elif not training.evaluate_before_training:
        message = f"the first value of `{metric}` is not measured"
        cure = "add `training.evaluate_before_training: true`, or `evaluate_every`"
        yield subject.at(path, message, cure, on_key=on_key)
