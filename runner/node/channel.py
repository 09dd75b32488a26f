"""What the node program writes for others to read, mirrored to the run store as it appears."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.node.redaction import Redactor
from runner.storage.files import write_atomically
from runner.storage.store import RunStore

METRICS = "metrics.jsonl"
SYSTEM = "system.jsonl"
HEARTBEAT = "heartbeat.json"
TRAINER_LOG = "log.txt"
REWARDS = "rewards.json"
CONFIG = "config.yaml"
EVIDENCE = "evidence.json"
RESULT = "result.json"


class Channel:
    """A local folder whose changed files are put into the store, below the lease's epoch.

    The store is read by more people than the run's secrets are meant for: their values are blotted
    out on the way, since a trainer that logs its environment is easily written.
    """

    def __init__(
        self, folder: Path, store: RunStore, prefix: str, secrets: Iterable[str] = ()
    ) -> None:
        """Mirror `folder` to `prefix` in `store`, without the values `secrets`."""
        self.redactor = Redactor(secrets)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = store
        self.prefix = prefix
        self._published: dict[str, tuple[int, int]] = {}
        self._whole = threading.Lock()
        """Held while a line is added or a file is read: no half of a line is published."""

    def write(self, name: str, data: bytes) -> None:
        """Replace the file `name`; `publish` takes it to the store."""
        write_atomically(self.folder / name, data)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace the file `name` with `content` as JSON."""
        self.write(name, json.dumps(content, sort_keys=True).encode() + b"\n")

    def append(self, name: str, content: dict[str, Any]) -> None:
        """Add a line of JSON to the file `name`."""
        with self._whole, (self.folder / name).open("a") as file:
            file.write(json.dumps(content, sort_keys=True) + "\n")

    def say(self, line: str) -> None:
        """Add a line of ours to the trainer's log."""
        with self._whole, (self.folder / TRAINER_LOG).open("a") as file:
            file.write(f"rollbook: {line}\n")

    def publish(self) -> None:
        """Put every file that has changed since the last call into the store.

        The evidence goes first and the result last: whoever sees a result finds all the rest.
        """
        for path in sorted(self.folder.iterdir(), key=_rank):
            if path.name.startswith(".") or not path.is_file():
                continue
            with self._whole:
                state = path.stat()
                mark = (state.st_size, state.st_mtime_ns)
                data = None if self._published.get(path.name) == mark else path.read_bytes()
            if data is not None:
                self.store.put(f"{self.prefix}/{path.name}", self.redactor.data(data))
                self._published[path.name] = mark

    def send(self, name: str, data: bytes) -> None:
        """Put a file into the store alone, where this machine has no room for it."""
        self.store.put(f"{self.prefix}/{name}", self.redactor.data(data))

    def upload_folder(self, source: Path, name: str) -> None:
        """Put all files below `source` into the store, below `name`; nothing there is fine."""
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            target = f"{self.prefix}/{name}/{path.relative_to(source).as_posix()}"
            self.store.put(target, self.redactor.data(path.read_bytes()))


def _rank(path: Path) -> tuple[bool, bool, str]:
    return path.name == RESULT, path.name != EVIDENCE, path.name


def timestamp() -> str:
    """Return this moment in UTC, to the millisecond, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
