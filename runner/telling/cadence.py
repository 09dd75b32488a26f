"""How often something is told elsewhere: at once when it has changed, else every few minutes.

What was told when is kept in this clone alone (`.rollbook/told.json`). Losing it costs a few more
requests: a forge writes nothing that it shows already.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from runner.storage.files import write_atomically

FILE = "told.json"
PROGRESS_SECONDS = 300.0
"""Between two reports of progress; GitHub takes 1,000 statuses per commit and context."""
FAILURE_SECONDS = 60.0
"""Before a forge or webhook that did not answer is tried again."""


class Entry(NamedTuple):
    """What was told last of one subject, or tried in vain."""

    key: str
    at: float
    failed: bool


_ENTRIES = TypeAdapter(dict[str, Entry])


class Cadence:
    """What was told, by subject."""

    def __init__(self, folder: Path) -> None:
        """Read what this clone keeps in `folder`; a file that cannot be read is as good as none."""
        self._path = folder / FILE
        self._is_new = False
        try:
            self._entries = _ENTRIES.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            self._entries = {}

    def is_due(self, subject: str, key: str) -> bool:
        """Whether `subject`, which stands at `key` now, is to be told."""
        last = self._entries.get(subject)
        if last is None:
            return True
        past = time.time() - last.at
        if last.failed:
            return past >= FAILURE_SECONDS or past < 0
        return key != last.key or past >= PROGRESS_SECONDS or past < 0

    def note(self, subject: str, key: str, *, failed: bool) -> None:
        """Remember that `subject` was told at `key`, or that it failed."""
        self._entries[subject] = Entry(key, time.time(), failed)
        self._is_new = True

    def save(self) -> None:
        """Write down what is new, and forget what is older than the longest wait."""
        if not self._is_new:
            return
        recent = time.time() - PROGRESS_SECONDS
        kept = {name: entry for name, entry in self._entries.items() if entry.at > recent}
        write_atomically(self._path, json.dumps(kept).encode())
