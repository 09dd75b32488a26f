"""What the node program writes for others to read, mirrored to the run store as it appears."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.files import write_atomically
from runner.store import RunStore

METRICS = "metrics.jsonl"
SYSTEM = "system.jsonl"
HEARTBEAT = "heartbeat.json"
TRAINER_LOG = "log.txt"
EVIDENCE = "evidence.json"
RESULT = "result.json"
SHORTEST_SECRET = 6
"""Shorter values would blot out ordinary words, and protect nothing."""


class Channel:
    """A local folder whose changed files are put into the store, below the lease's epoch.

    The store is read by more people than the run's secrets are meant for: their values are blotted
    out on the way, since a trainer that logs its environment is easily written.
    """

    def __init__(
        self, folder: Path, store: RunStore, prefix: str, secrets: Iterable[str] = ()
    ) -> None:
        """Mirror `folder` to `prefix` in `store`, without the values `secrets`."""
        self._secrets = [one.encode() for one in secrets if len(one) >= SHORTEST_SECRET]
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = store
        self.prefix = prefix
        self._published: dict[str, tuple[int, int]] = {}

    def write(self, name: str, data: bytes) -> None:
        """Replace the file `name`; `publish` takes it to the store."""
        write_atomically(self.folder / name, data)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Replace the file `name` with `content` as JSON."""
        self.write(name, json.dumps(content, sort_keys=True).encode() + b"\n")

    def append(self, name: str, content: dict[str, Any]) -> None:
        """Add a line of JSON to the file `name`."""
        with (self.folder / name).open("a") as file:
            file.write(json.dumps(content, sort_keys=True) + "\n")

    def publish(self) -> None:
        """Put every file that has changed since the last call into the store."""
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            state = path.stat()
            mark = (state.st_size, state.st_mtime_ns)
            if self._published.get(path.name) != mark:
                self.store.put(f"{self.prefix}/{path.name}", self._blotted(path.read_bytes()))
                self._published[path.name] = mark

    def _blotted(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, b"***")
        return data


def timestamp() -> str:
    """Return this moment in UTC, to the millisecond, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
