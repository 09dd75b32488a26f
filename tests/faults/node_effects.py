"""Side effects of a process as the interpreter reports them, numbered, and a death at one of them.

Python's audit hooks tell of every file that is opened for writing, renamed, linked or removed and
of every program that is started; a bucket's changes are seen where its client sends them. So no
side effect has to be listed by hand. The hook speaks before the effect: to die before the next one
is to die after this one. Of a bucket, whose answer may be lost, both are told apart.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

_PATH_OF = {
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.mkdir": 0,
    "os.truncate": 0,
}
"""Audit events that change a file system, and which argument names what is changed."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_BUCKET_READS = re.compile(r"(Get|Head|List).*")
_NAMELESS = (
    (re.compile(r"\.rollbook-part-[0-9a-f-]+"), ".part"),
    (re.compile(r"\.[a-z0-9_]{8}$"), ".x"),  # tempfile's
    (re.compile(r"\.[A-Za-z0-9_-]{22}\.tmp$"), ".x"),
    (re.compile(r"[A-Za-z0-9]{20,}(\.tmp)?"), "x"),  # DVC's, and digests
    (re.compile(r"tmp[A-Za-z0-9_]{6,}"), "x"),
    (re.compile(r"(?<=/)[0-9a-f]{2}(?=/|$)"), "xx"),
    (re.compile(r"[0-9a-f]{8,}"), "x"),
    (re.compile(r"(?<=step-)\d+"), "n"),
)
"""What is another one at every start, and what it is replaced with in the name of a side effect."""


class Point(NamedTuple):
    """The n-th time that a side effect is come to (n from 1), and on which side of it."""

    site: str
    number: int = 1
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.site} #{self.number}"


class Effects:
    """Counts the side effects of this process below `root`, notes them, and dies at `point`."""

    def __init__(
        self, root: str, notes: str, point: Point | None, prefix: str, victim: int
    ) -> None:
        """Note each in the file `notes`; `victim` is a process that dies first."""
        self._root, self._prefix, self._victim = root, prefix, victim
        self._point = point
        self._counted: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def install(self) -> None:
        """From here on look at everything."""
        sys.addaudithook(self._hear)

    def watch_bucket(self) -> None:
        """Look at what the client of S3 sends, too."""
        from aiobotocore.client import AioBaseClient

        send = AioBaseClient._make_api_call

        async def noted(client: Any, name: str, given: dict[str, Any]) -> Any:
            if _BUCKET_READS.fullmatch(name):
                return await send(client, name, given)
            site = f"{self._prefix}{name} {_named('/' + str(given.get('Key', '')))}"
            number = self._come_to(site, sides="both")
            answer = await send(client, name, given)
            self._die_at(Point(site, number, after=True))
            return answer

        AioBaseClient._make_api_call = noted  # type: ignore[method-assign]

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            words = [Path(str(word)).name for word in list(given[1])[:6] if "\n" not in str(word)]
            self._come_to(f"{self._prefix}start {_named(' '.join(words))}")
            return
        if event == "open":
            if not isinstance(given[2], int) or not given[2] & _WRITES:
                return
            path = given[0]
        elif event in ("os.remove", "os.rmdir") and given[1] != -1:  # below an open folder
            self._come_to(f"{self._prefix}{event.removeprefix('os.')} in a tree that goes")
            return
        elif event in _PATH_OF:
            path = given[_PATH_OF[event]]
        else:
            return
        if not isinstance(path, str | bytes | os.PathLike):
            return
        whole = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
        if whole.startswith(self._root + "/"):
            name = event.removeprefix("os.")
            self._come_to(f"{self._prefix}{name} {_named(whole[len(self._root) :])}")

    def _come_to(self, site: str, sides: str = "") -> int:
        with self._lock:
            self._counted[site] += 1
            number = self._counted[site]
            os.write(self._notes, f"{number} {sides or 'before'} {site}\n".encode())
        self._die_at(Point(site, number))
        return number

    def _die_at(self, point: Point) -> None:
        if point == self._point:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._victim, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


def _named(path: str) -> str:
    for pattern, word in _NAMELESS:
        path = pattern.sub(word, path)
    return path.lstrip("/")


def points_of(notes: Path) -> list[Point]:
    """Return every point that a process has come to, in order."""
    found = []
    for line in notes.read_text().splitlines():
        number, sides, site = line.split(" ", 2)
        found.append(Point(site, int(number)))
        if sides == "both":
            found.append(Point(site, int(number), after=True))
    return found


def firsts(points: list[Point], wanted: Callable[[Point], bool] = lambda _: True) -> list[Point]:
    """Return the first point of each site and side."""
    return [point for point in points if point.number == 1 and wanted(point)]


def ends(points: list[Point]) -> list[Point]:
    """Return the first and the last point of each site and side: those between are like them."""
    last = {(point.site, point.after): point for point in points}
    return list(dict.fromkeys((*firsts(points), *last.values())))
