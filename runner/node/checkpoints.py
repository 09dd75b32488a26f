"""Checkpoints of a run in its store: below its own attempt, complete when the manifest is there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from runner.node.channel import Channel
from runner.node.data import DvcWorkspace
from runner.store import RunStore
from runner.trainers.base import SavedCheckpoint, Trainer

MANIFEST = "manifest.json"
_COMPLETE = re.compile(rf"(a\d+/epoch-\d+/checkpoints/step-\d+)/{re.escape(MANIFEST)}")

Marks = tuple[tuple[str, int, int], ...]
"""Path, size and time of change of each file of a checkpoint."""


class CheckpointPublisher:
    """Uploads checkpoints as the trainer completes them, and keeps the newest in the store."""

    def __init__(self, folder: Path, trainer: Trainer, channel: Channel, keep: int) -> None:
        """Watch `folder`; keep the `keep` newest checkpoints in the store."""
        self._folder = folder
        self._trainer = trainer
        self._channel = channel
        self._keep = keep
        self._seen: dict[int, Marks] = {}
        self._uploads: dict[int, tuple[Marks, Future[None]]] = {}
        self._complete: set[int] = set()
        self._pool = ThreadPoolExecutor(1, "checkpoints")

    def advance(self) -> None:
        """Start uploading what has not changed since the last look, beside the training."""
        for checkpoint in self._trainer.checkpoints(self._folder):
            marks = _marks(checkpoint)
            if marks and self._seen.get(checkpoint.step) == marks:
                self._start(checkpoint, marks)
            self._seen[checkpoint.step] = marks

    def close(self, *, finished: bool) -> SavedCheckpoint | None:
        """Wait for the uploads and return the newest complete checkpoint on disk.

        When the trainer has not `finished` by itself, what it wrote last may be half a checkpoint:
        then only those count that no longer changed while it lived.
        """
        found = list(self._trainer.checkpoints(self._folder))
        if finished:
            for checkpoint in found:
                self._start(checkpoint, _marks(checkpoint))
        self._pool.shutdown()
        for step in sorted(self._uploads)[-self._keep :]:
            self._uploads[step][1].result()  # an older one may have been pruned while it was read
        return next((one for one in reversed(found) if one.step in self._complete), None)

    def _start(self, checkpoint: SavedCheckpoint, marks: Marks) -> None:
        before = self._uploads.get(checkpoint.step)
        if before is None or before[0] != marks:
            upload = self._pool.submit(self._upload, checkpoint, marks)
            self._uploads[checkpoint.step] = (marks, upload)

    def _upload(self, checkpoint: SavedCheckpoint, marks: Marks) -> None:
        """Upload a checkpoint, and its manifest last, unless it changed meanwhile."""
        store, name = self._channel.store, f"{self._channel.prefix}/checkpoints"
        target = f"{name}/step-{checkpoint.step}"
        store.upload(checkpoint.folder, f"{target}/{checkpoint.folder.name}")
        files = {
            str(p.relative_to(checkpoint.folder.parent)): _sha256(p) for p in _files(checkpoint)
        }
        if _marks(checkpoint) != marks:
            return
        manifest = {"step": checkpoint.step, "sha256": files}
        store.put(f"{target}/{MANIFEST}", json.dumps(manifest, sort_keys=True).encode())
        self._complete.add(checkpoint.step)
        for step in sorted(self._complete)[: -self._keep]:
            store.delete(f"{name}/step-{step}")


def _marks(checkpoint: SavedCheckpoint) -> Marks:
    """Return what changes when a file of the checkpoint does; empty while it has none."""
    found = []
    for path in _files(checkpoint):
        with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
            state = path.stat()
            found.append((str(path), state.st_size, state.st_mtime_ns))
    return tuple(found)


def newest_complete(store: RunStore) -> str | None:
    """Return the name of the newest complete checkpoint of a run's attempts, not of its repeats."""
    found = [match[1] for name in store.list() if (match := _COMPLETE.fullmatch(name))]
    return max(found, key=step_of, default=None)


def step_of(name: str) -> int:
    """Return the step of a checkpoint's name in the store."""
    return int(name.rpartition("/step-")[2])


def restore(store: RunStore, name: str, folder: Path, trainer: Trainer) -> int:
    """Bring the checkpoint `name` back to `folder` and return its step."""
    step = step_of(name)
    store.download(name, folder)
    (folder / MANIFEST).unlink()
    trainer.resume(folder, step)
    return step


class Export(NamedTuple):
    """The final weights, as DVC tracks them."""

    md5: str
    step: int


def export(
    checkpoint: SavedCheckpoint | None, workspace: Path, remote_url: str, *, upload: bool
) -> Export | None:
    """Hand the export of `checkpoint` to DVC; None when there is none.

    Without `upload` only its digest is found, for a repeat, which is compared and not kept.
    """
    if checkpoint is None or checkpoint.export is None:
        return None
    target = workspace / "checkpoint"
    shutil.copytree(checkpoint.export, target)
    dvc = DvcWorkspace(workspace, remote_url)
    md5 = dvc.add(target)
    if upload:
        dvc.push(target)
    return Export(md5, checkpoint.step)


def _files(checkpoint: SavedCheckpoint) -> list[Path]:
    return sorted(path for path in checkpoint.folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
