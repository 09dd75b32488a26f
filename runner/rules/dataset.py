"""Rules on what a run reads from the repository's data."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.node import Path


def known(subject: Subject) -> Iterator[Finding]:
    """Every dataset, and a model of the repository, is tracked by DVC or by git."""
    for path, place in _inputs(subject):
        if not subject.context.is_tracked(place):
            message = f"`{place}` is tracked neither by DVC nor by git"
            yield subject.at(path, message, f"check the path, or: dvc add {place}")


def _inputs(subject: Subject) -> Iterator[tuple[Path, str]]:
    data, model = subject.spec.data, subject.spec.model
    if data:
        yield ("data", "train"), data.train
        for name, place in data.val.items():
            yield ("data", "val", name), place
    if model and model.source in ("dvc", "path"):
        yield ("model", "path"), model.path
