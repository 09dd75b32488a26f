"""Checkpoints of a run in its store: below its own attempt, complete when the manifest is there."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from runner.errors import OutsideError
from runner.node.channel import Channel
from runner.node.data import DvcWorkspace
from runner.node.patience import LONGEST_PAUSE, patiently
from runner.node.shards import Marks, Shards, digests_of, marks_of
from runner.storage.files import sha256_of
from runner.storage.store import RunStore
from runner.trainers.base import SavedCheckpoint, Trainer

MANIFEST = "manifest.json"
MOST_UPLOADS = 12
"""Of one checkpoint while training goes on, the last ones LONGEST_PAUSE apart."""
_NAME = re.compile(r"([ar]\d+)/epoch-(\d+)/checkpoints/step-(\d+)")


class _Upload(NamedTuple):
    """An upload that has been started, how often by now, and when last."""

    marks: Marks
    future: Future[None]
    tries: int
    started: float

    @property
    def has_failed(self) -> bool:
        return self.future.done() and self.future.exception() is not None

    @property
    def is_due(self) -> bool:
        """Whether to try again by now: it failed, and may not always do."""
        pause = min(2.0**self.tries, LONGEST_PAUSE)
        rested = time.monotonic() - self.started >= pause
        return self.has_failed and rested and self.tries < MOST_UPLOADS


class CheckpointPublisher:
    """Uploads checkpoints as the trainer completes them, and keeps the newest in the store."""

    def __init__(
        self, folder: Path, trainer: Trainer, channel: Channel, keep: int, shards: Shards
    ) -> None:
        """Watch `folder`; keep the `keep` newest checkpoints in the store.

        `shards` has the other nodes add what they have of a checkpoint.
        """
        self._shards = shards
        self._folder = folder
        self._trainer = trainer
        self._channel = channel
        self._keep = keep
        self._seen: dict[int, Marks] = {}
        self._uploads: dict[int, _Upload] = {}
        self._found: dict[int, SavedCheckpoint] = {}
        self._complete: set[int] = set()
        self._pool = ThreadPoolExecutor(1, "checkpoints")

    def advance(self) -> None:
        """Start uploading what has not changed since the last look, beside the training.

        An upload that failed is started again, after a pause and not for ever.
        """
        for checkpoint in self._trainer.checkpoints(self._folder):
            marks = marks_of(checkpoint.folder)
            if marks and self._seen.get(checkpoint.step) == marks:
                self._start(checkpoint, marks)
            self._seen[checkpoint.step] = marks

    @property
    def newest(self) -> int | None:
        """The newest step whose checkpoint is whole in the store."""
        return max(tuple(self._complete), default=None)

    def close(self, *, finished: bool) -> SavedCheckpoint | None:
        """Wait for the uploads and return the newest complete checkpoint on disk.

        When the trainer has not `finished` by itself, what it wrote last may be half a checkpoint:
        then only those count that no longer changed while it lived.
        Raises OutsideError when the store does not take one of the newest within STORE_PATIENCE.
        """
        found = list(self._trainer.checkpoints(self._folder))
        if finished:
            for checkpoint in found:
                self._start(checkpoint, marks_of(checkpoint.folder))
        try:
            patiently(self._settle)
        finally:
            self._pool.shutdown()
        return next((one for one in reversed(found) if one.step in self._complete), None)

    def _settle(self) -> None:
        """Wait for the newest uploads, each started again if it has failed."""
        for step in sorted(self._uploads)[-self._keep :]:
            if self._uploads[step].has_failed:
                self._submit(self._found[step], self._uploads[step].marks)
            self._uploads[step].future.result()

    def _start(self, checkpoint: SavedCheckpoint, marks: Marks) -> None:
        before = self._uploads.get(checkpoint.step)
        if before is None or before.marks != marks or before.is_due:
            self._submit(checkpoint, marks)

    def _submit(self, checkpoint: SavedCheckpoint, marks: Marks) -> None:
        before = self._uploads.get(checkpoint.step)
        tries = before.tries + 1 if before and before.marks == marks else 1
        self._found[checkpoint.step] = checkpoint
        future = self._pool.submit(self._upload, checkpoint, marks)
        self._uploads[checkpoint.step] = _Upload(marks, future, tries, time.monotonic())

    def _upload(self, checkpoint: SavedCheckpoint, marks: Marks) -> None:
        """Upload a checkpoint, and its manifest last, unless it changes meanwhile."""
        try:
            self._send(checkpoint, marks)
        except (OSError, OutsideError):
            if marks_of(checkpoint.folder) == marks:  # else it was pruned while it was read
                raise

    def _send(self, checkpoint: SavedCheckpoint, marks: Marks) -> None:
        store, name = self._channel.store, f"{self._channel.prefix}/checkpoints"
        target = f"{name}/step-{checkpoint.step}"
        self._complete.discard(checkpoint.step)
        _discard(store, target)
        self._shards.ask(checkpoint.folder, target)
        store.upload(checkpoint.folder, f"{target}/{checkpoint.folder.name}")
        files = self._shards.joined(digests_of(checkpoint.folder))
        if marks_of(checkpoint.folder) != marks:
            return
        manifest = {"step": checkpoint.step, "sha256": files}
        store.put(f"{target}/{MANIFEST}", json.dumps(manifest, sort_keys=True).encode())
        self._complete.add(checkpoint.step)
        for step in sorted(self._complete)[: -self._keep]:
            _discard(store, f"{name}/step-{step}")
            self._complete.discard(step)


def _discard(store: RunStore, name: str) -> None:
    store.delete(f"{name}/{MANIFEST}")  # first: what is half deleted is not complete
    store.delete(name)


def complete(store: RunStore, attempt: str = "a1") -> list[str]:
    """Return the complete checkpoints that `attempt` may continue from; the oldest first."""
    parts = (name.rpartition("/") for name in store.list())
    folders = [folder for folder, _, file in parts if file == MANIFEST]
    found = ((_NAME.fullmatch(folder), folder) for folder in folders)
    return sorted((one for match, one in found if match and is_kin(match[1], attempt)), key=_age)


def is_kin(one: str, other: str) -> bool:
    """Whether what `one` left may be continued by `other`: a run's attempts share, repeats do not.

    Both are labels, such as `a2` and `r1`.
    """
    return one == other or (one[0], other[0]) == ("a", "a")


def newest_complete(store: RunStore, attempt: str = "a1") -> str | None:
    """Return the name of the newest complete checkpoint that `attempt` may continue from."""
    return next(reversed(complete(store, attempt)), None)


def step_of(name: str) -> int:
    """Return the step of a checkpoint's name in the store."""
    return int(name.rpartition("/step-")[2])


def _age(name: str) -> tuple[int, int, int]:
    """Return a checkpoint's step, attempt and epoch, by which the newer of two is told."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no checkpoint's name")
    return int(match[3]), int(match[1][1:]), int(match[2])


def restore(
    store: RunStore, name: str, folder: Path, trainer: Trainer, say: Callable[[str], None]
) -> str | None:
    """Bring the checkpoint `name` back to `folder`, and return its name.

    One that is not what its manifest says is told to `say`, and the one before it is taken; None
    when none is whole, and training starts anew.
    """
    kin = complete(store, name.partition("/")[0])
    older = [one for one in kin if _age(one) <= _age(name)]
    for candidate in reversed(older):
        fault = fetch(store, candidate, folder)
        if not fault:
            trainer.resume(folder, step_of(candidate))
            return candidate
        say(f"checkpoint {candidate} is not restored: {fault}")
    say(f"no checkpoint up to {name} is whole: training starts anew")
    return None


def fetch(store: RunStore, name: str, folder: Path) -> str:
    """Bring a checkpoint's listed files to `folder`; else return what is wrong with it."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    store.download(name, partial)
    try:
        fault = _fault(partial)
        if not fault:
            folder.mkdir(parents=True, exist_ok=True)
            for path in partial.iterdir():
                path.rename(folder / path.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return fault


def _fault(folder: Path) -> str:
    """Return how `folder` differs from its manifest; removes what the manifest does not list."""
    try:
        listed = dict(json.loads((folder / MANIFEST).read_text())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return "its manifest cannot be read"
    if not listed:
        return "its manifest lists no file"
    there = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    for name in there.keys() - listed.keys():
        there[name].unlink()
    if missing := sorted(listed.keys() - there.keys()):
        return f"{missing[0]} is missing"
    changed = sorted(name for name in listed if sha256_of(there[name]) != listed[name])
    return f"{changed[0]} is not what was saved" if changed else ""


def export(checkpoint: SavedCheckpoint | None, dvc: DvcWorkspace, *, upload: bool) -> str | None:
    """Hand the export of `checkpoint` to `dvc`, and return its digest; None when there is none.

    Without `upload` only its digest is found, for a repeat, which is compared and not kept.
    Raises OutsideError when the remote does not take it.
    """
    if checkpoint is None or checkpoint.export is None:
        return None
    target = dvc.folder / "checkpoint"
    shutil.copytree(checkpoint.export, target)
    md5 = dvc.add(target)
    if upload:
        patiently(lambda: dvc.push(target))
    return md5
