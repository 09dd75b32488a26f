"""Rules on what a run reads from the repository's data."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from runner.datasets.source import exists, name_of
from runner.findings import Finding
from runner.rules.base import Subject
from runner.spec.fields import nearest
from runner.spec.node import Path
from runner.spec.tree import WorkTree

LARGEST_HASHED = 16 * 2**20
"""Bytes up to which a file's digest is compared; for larger ones `dvc status` is the tool."""


def known(subject: Subject) -> Iterator[Finding]:
    """Every dataset, and a model of the repository, is tracked by DVC or by git."""
    for path, place in _inputs(subject):
        if not subject.context.is_tracked(place):
            if stage := subject.context.outputs.stage_of(place):
                if subject.spec.launch != "manual":
                    yield subject.at(path, *_unmade(place, stage))
                continue
            message = f"`{place}` is tracked neither by DVC nor by git"
            near = nearest(place, _tracked_near(subject, place))
            add = f"dvc add {place}" if path[0] == "model" else f"runner data add {place}"
            cure = f"did you mean `{near}`? Else: {add}" if near else f"check the path, or: {add}"
            yield subject.at(path, message, cure)
        elif path[0] == "data" and (holder := _lacks(subject, place)):
            message = f"`{place}` is not in the folder `{holder}`, which DVC tracks"
            files = map(PurePosixPath, subject.context.tree.paths(holder, ""))
            near = nearest(place, {str(file.with_name(name_of(file))) for file in files})
            cure = f"did you mean `{near}`?" if near else f"dvc pull {holder}   or check the path"
            yield subject.at(path, message, cure)


def made(subject: Subject) -> Iterator[Finding]:
    """What a stage of dvc.yaml makes has been made; a `launch: manual` spec may wait for it."""
    for path, place in _inputs(subject):
        stage = subject.context.outputs.stage_of(place)
        is_manual = subject.spec.launch == "manual"
        if stage and is_manual and not subject.context.is_tracked(place):
            yield subject.at(path, *_unmade(place, stage))


def _unmade(place: str, stage: str) -> tuple[str, str]:
    message = f"the stage `{stage}` makes `{place}`, and has not run"
    return message, f"dvc repro {stage}   and commit dvc.lock"


def _tracked_near(subject: Subject, place: str) -> list[str]:
    """Return what DVC tracks, and the files of the folder that `place` would be in."""
    context, folder = subject.context, posixpath.dirname(place)
    files = context.tree.paths(folder, "") if folder else []
    return [*context.outputs.paths, *(one for one in files if context.is_tracked(one))]


def _lacks(subject: Subject, place: str) -> str | None:
    """Return the tracked folder that `place` should be in, and is not; None where it is.

    Only a folder that lies in the work tree says what is in it.
    """
    tree, tracked = subject.context.tree, subject.context.outputs.find(place)
    if tracked is None or tracked[0] == posixpath.normpath(place) or not isinstance(tree, WorkTree):
        return None
    folder = tree.place(tracked[0])
    return tracked[0] if folder.is_dir() and not exists(tree.place(place)) else None


def recorded(subject: Subject) -> Iterator[Finding]:
    """A dataset in the work tree is the one that DVC has recorded."""
    tree = subject.context.tree
    if not isinstance(tree, WorkTree):
        return
    for path, place in _inputs(subject):
        tracked, file = subject.context.outputs.find(place), tree.place(place)
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
