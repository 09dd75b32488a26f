"""A command that dies in this process at one of its side effects, and leaves nothing after it.

Python's audit events tell of each side effect before it happens: a process (git), a file, a call of
the launcher. From the chosen one on every further one of that command fails as well, in all of its
threads, so that clearing up on the way out, which a killed process does not do, does nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

_EFFECTS = re.compile(
    r"subprocess\.Popen|os\.(rename|remove|mkdir|link|rmdir|truncate)|outside\..*"
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Killed(BaseException):
    """What a command ends with that was killed: nothing of the product catches it."""


class Interruptions:
    """Counts the side effects of commands, and ends a command at one of them."""

    def __init__(self) -> None:
        self._kill_at: int | None = None
        self._is_on = False
        self.effects = 0
        """Of the newest command."""
        _HOOKED.append(self)

    @contextlib.contextmanager
    def command(self, kill_at: int | None) -> Iterator[None]:
        """Let what is done inside be one command, killed before its `kill_at`-th side effect."""
        self.effects, self._kill_at, self._is_on = 0, kill_at, True
        before = set(threading.enumerate())
        try:
            yield
        finally:
            for thread in set(threading.enumerate()) - before:
                thread.join(30)  # what it started in the background dies with it
            self._is_on = False

    @property
    def has_killed(self) -> bool:
        return self._kill_at is not None and self.effects >= self._kill_at

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on or not (_EFFECTS.fullmatch(event) or _writes(event, arguments)):
            return
        self.effects += 1
        if self.has_killed:
            raise Killed(f"killed at side effect {self.effects}: {event}")


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    return event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & _WRITING)


_HOOKED: list[Interruptions] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    for one in _HOOKED:
        one.hear(event, arguments)


sys.addaudithook(_hear)  # a hook stays for the life of the process; without commands it is idle
