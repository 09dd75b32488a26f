"""Rules on what a run reads from the repository's data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.node import Path
from runner.spec.tree import WorkTree

LARGEST_HASHED = 16 * 2**20
"""Bytes up to which a file's digest is compared; for larger ones `dvc status` is the tool."""


def known(subject: Subject) -> Iterator[Finding]:
    """Every dataset, and a model of the repository, is tracked by DVC or by git."""
    for path, place in _inputs(subject):
        if not subject.context.is_tracked(place):
            message = f"`{place}` is tracked neither by DVC nor by git"
            yield subject.at(path, message, f"check the path, or: dvc add {place}")


def recorded(subject: Subject) -> Iterator[Finding]:
    """A dataset in the work tree is the one that DVC has recorded."""
    tree = subject.context.tree
    if not isinstance(tree, WorkTree):
        return
    for path, place in _inputs(subject):
        tracked, file = subject.context.outputs.find(place), tree.root / place
        if tracked is None or not file.is_file() or file.stat().st_size > LARGEST_HASHED:
            continue
        output, md5 = tracked
        if (
            output == place
            and md5 != hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        ):
            message = f"`{place}` is not what DVC has recorded: runs would get the recorded one"
            yield subject.at(path, message, f"dvc commit -f {place}   records it as it is now")


def _inputs(subject: Subject) -> Iterator[tuple[Path, str]]:
    data, model = subject.spec.data, subject.spec.model
    if data:
        yield ("data", "train"), data.train
        for name, place in data.val.items():
            yield ("data", "val", name), place
    if model and model.source in ("dvc", "path"):
        yield ("model", "path"), model.path


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()  # what DVC names content by
