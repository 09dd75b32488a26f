"""Checkpoints of a run in its store: below its own attempt, complete when the manifest is there."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from runner.node.channel import Channel
from runner.node.data import DvcWorkspace
from runner.store import RunStore
from runner.trainers.base import SavedCheckpoint, Trainer

MANIFEST = "manifest.json"


class CheckpointPublisher:
    """Uploads checkpoints as the trainer completes them, and keeps the newest in the store."""

    def __init__(self, folder: Path, trainer: Trainer, channel: Channel, keep: int) -> None:
        """Watch `folder`; keep the `keep` newest checkpoints in the store."""
        self._folder = folder
        self._trainer = trainer
        self._channel = channel
        self._keep = keep
        self._steps: list[int] = []
        self._uploads: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(1, "checkpoints")

    def advance(self) -> None:
        """Start uploading what is new; the upload goes on beside the training."""
        for checkpoint in self._trainer.checkpoints(self._folder):
            if checkpoint.step not in self._steps:
                self._steps.append(checkpoint.step)
                self._uploads.append(self._pool.submit(self._upload, checkpoint))

    def close(self) -> SavedCheckpoint | None:
        """Wait for the uploads and return the newest checkpoint on disk."""
        self.advance()
        self._pool.shutdown()
        found = list(self._trainer.checkpoints(self._folder))
        for upload in self._uploads[-self._keep :]:
            upload.result()  # an older one may have been pruned by the trainer while it was read
        return found[-1] if found else None

    def _upload(self, checkpoint: SavedCheckpoint) -> None:
        store, name = self._channel.store, f"{self._channel.prefix}/checkpoints"
        target = f"{name}/step-{checkpoint.step}"
        store.upload(checkpoint.folder, f"{target}/{checkpoint.folder.name}")
        files = {
            str(p.relative_to(checkpoint.folder.parent)): _sha256(p) for p in _files(checkpoint)
        }
        manifest = {"step": checkpoint.step, "sha256": files}
        store.put(f"{target}/{MANIFEST}", json.dumps(manifest, sort_keys=True).encode())
        for step in sorted(self._steps)[: -self._keep]:
            store.delete(f"{name}/step-{step}")


def newest_complete(store: RunStore, prefix: str = "") -> str | None:
    """Return the name of the newest complete checkpoint below `prefix` in a run's store."""
    found = [name for name in store.list(prefix) if name.endswith(f"/{MANIFEST}")]
    folders = [name.removesuffix(f"/{MANIFEST}") for name in found if "/checkpoints/step-" in name]
    return max(folders, key=step_of, default=None)


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


def export(checkpoint: SavedCheckpoint | None, workspace: Path, remote_url: str) -> Export | None:
    """Upload the export of `checkpoint` to the checkpoints remote; None when there is none."""
    if checkpoint is None or checkpoint.export is None:
        return None
    target = workspace / "checkpoint"
    shutil.copytree(checkpoint.export, target)
    return Export(DvcWorkspace(workspace, remote_url).push(target), checkpoint.step)


def _files(checkpoint: SavedCheckpoint) -> list[Path]:
    return sorted(path for path in checkpoint.folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
