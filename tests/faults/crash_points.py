"""Where a process can be killed: every call of it that may have an effect outside of its memory.

Python itself says so: `sys.addaudithook` is told of each process started, each file opened, renamed
or removed, each folder made, each connection and each HTTP request, whoever asks for it. There is
no list of the product's side effects here, only one of calls that look and change nothing.

A run is recorded once:

    Watch(record="points.jsonl", world="folder that holds all that can change").start()

writes a line per call, `Seen`: a label (arguments, with what is random masked), its number among
those of the same label, and a digest of all names, sizes and times below `world` at that moment.
Where the digest is another at the next call, the call had an effect: `crash_points` yields these,
and the very last call. A kill before each of them meets every state that a kill can leave behind
once: "after" one effect is "before" the next. Threads make the order differ between runs, so a
point is named by label and occurrence and not by its place.

And then, per point, in a fresh copy of the world:

    Watch(kill=point, side="before").start()

kills at that call. Sides: `before` it is made; `started`: a process was started, or a request sent,
and nobody waits for its end any more; `torn`: a file was opened for writing, and nothing written.
`signal` is SIGKILL unless said otherwise; with `group` all processes of the group are killed, those
that were started (git) as well, else they live on.

A program that is not a fork of ours gets it by environment: `environment_for(watch)` has Python
import `in_child/sitecustomize.py` first. The variable is taken away there: a child of that program
is not watched.

A stand-in that runs inside the killed process tells of its own effects:
`sys.audit("outside.<what>", argument, …)`, before it has one, and does it `unwatched`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

Side = Literal["before", "started", "torn"]
VARIABLE = "ROLLBOOK_CRASH_POINTS"
IN_CHILD = Path(__file__).with_name("in_child")
_EFFECTS = re.compile(
    r"(os|subprocess|socket|http\.client|fcntl|shutil|outside)\..*|open|tempfile.*"
)
_LOOKS = re.compile(
    r"os\.(listdir|scandir|walk|fwalk|getxattr|listxattr|putenv|unsetenv|kill)|"
    r"socket\.(__new__|getaddrinfo|gethost.*|getservb.*|getnameinfo|bind)"
)
"""What changes nothing outside; of a signal, what it brings about does, where it does anything.

Whether a child that only reads is still there to be killed in the end is a matter of luck.
"""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STARTS = ("subprocess.Popen", "http.client.send")


class Point(NamedTuple):
    """One call, so named that another run of the same command can be killed at it."""

    label: str
    occurrence: int = 1

    @property
    def can_start(self) -> bool:
        """Whether something may go on by itself after the call is made."""
        return self.label.startswith(_STARTS)

    @property
    def can_tear(self) -> bool:
        """Whether the call leaves an empty file before anything is written to it."""
        return self.label.startswith("open ")

    def __str__(self) -> str:
        return self.label + (f" ({self.occurrence})" if self.occurrence > 1 else "")


class Seen(NamedTuple):
    """A call in the order of the recorded run, and the state of the world before it."""

    point: Point
    world: str


@dataclass
class Watch:
    """Watches the process that starts it; kept as JSON on its way to another process."""

    record: str = ""
    """File to write the calls to; empty where nothing is recorded."""
    world: str = ""
    """Folder whose state is noted, and whose path is cut from labels."""
    kill: Point | None = None
    side: Side = "before"
    signal: int = signal.SIGKILL
    group: bool = False

    def start(self) -> None:
        """Watch from now on, for as long as the process lives."""
        _Hook(self).install()


def environment_for(watch: Watch) -> dict[str, str]:
    """Return the variables with which a new Python process is watched from its start."""
    return {"PYTHONPATH": str(IN_CHILD), VARIABLE: json.dumps(asdict(watch))}


def watch_from(text: str) -> Watch:
    """Return the Watch that was kept as JSON."""
    values = json.loads(text)
    return Watch(**{**values, "kill": Point(*values["kill"]) if values["kill"] else None})


def read_points(path: Path) -> list[Seen]:
    """Return the calls of a recorded run, in their order."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [Seen(Point(label, occurrence), world) for label, occurrence, world in lines]


def crash_points(calls: Iterable[Seen]) -> Iterator[Point]:
    """Yield a call for each state that a kill can leave behind: the last one made in that state.

    That is the one which leads to the next state, so its label says what a kill prevents.
    """
    before: Seen | None = None
    for call in calls:
        if before is not None and call.world != before.world:
            yield before.point
        before = call
    if before is not None:
        yield before.point


_OWN = threading.local()
"""Of each thread: whether it is the watch's own doing, and its newest point."""


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Let what this thread does be no crash point: a stand-in's inside, or the watch's own."""
    before = getattr(_OWN, "busy", False)
    _OWN.busy = True
    try:
        yield
    finally:
        _OWN.busy = before


class _Hook:
    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._file = (
            os.open(watch.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if (watch.record) else -1
        )

    def install(self) -> None:
        if self._watch.side == "started":
            self._watch_starts()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not _EFFECTS.fullmatch(event) or _LOOKS.fullmatch(event):
            return
        if getattr(_OWN, "busy", False) or (event == "open" and not _writes(arguments)):
            return
        with unwatched():
            self._see(label_of(event, arguments, self._watch.world), arguments)

    def _see(self, label: str, arguments: tuple[Any, ...]) -> None:
        with self._lock:
            self._counts[label] += 1
            point = Point(label, self._counts[label])
            if self._file >= 0:
                line = json.dumps([*point, digest(Path(self._watch.world))])
                os.write(self._file, f"{line}\n".encode())
        _OWN.point = point
        if point == self._watch.kill and self._watch.side != "started":
            if self._watch.side == "torn":
                _tear(*arguments)
            self._die()

    def _watch_starts(self) -> None:
        """Die where a process has been started, or a request sent, and its end is not awaited."""
        for owner, name in (
            (subprocess.Popen, "_execute_child"),
            (http.client.HTTPConnection, "send"),
        ):
            setattr(owner, name, self._dying_after(getattr(owner, name)))

    def _dying_after(self, call: Any) -> Any:
        def called(*arguments: Any, **named: Any) -> Any:
            result = call(*arguments, **named)
            if getattr(_OWN, "point", None) == self._watch.kill:
                self._die()
            return result

        return called

    def _die(self) -> None:
        """Send the signal; one that does not kill lets the call go on."""
        if self._watch.group:
            os.killpg(0, self._watch.signal)
        os.kill(os.getpid(), self._watch.signal)


def _writes(arguments: tuple[Any, ...]) -> bool:
    _, mode, flags = arguments
    return bool(flags & _WRITING) or (isinstance(mode, str) and bool(set(mode) & set("wax+")))


def _tear(path: Any, _: Any, flags: int) -> None:
    with contextlib.suppress(OSError):
        os.close(os.open(path, flags & ~os.O_EXCL | os.O_CREAT, 0o644))


def label_of(event: str, arguments: tuple[Any, ...], world: str = "") -> str:
    """Return a call in words that are the same in every run: what is random is masked."""
    if event == "subprocess.Popen":
        executable, command, *_ = arguments
        words = [Path(os.fsdecode(executable)).name, *map(os.fsdecode, command[1:])]
        told = [word for word in words if not word.startswith("-")]
    elif event == "http.client.send":
        told = [bytes(arguments[1]).split(b"\r\n")[0].decode("utf-8", "replace")[:100]]
        told = told if re.match(r"[A-Z]+ /", told[0]) else ["body"]
    elif event == "open":
        told = [os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else "descriptor"]
    else:
        told = [os.fsdecode(a) for a in arguments if isinstance(a, str | bytes | os.PathLike)]
    text = f"{event} {' '.join(told)}".strip()
    return _masked(text.replace(f"{world}/", "") if world else text)


_MASKS = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|(?<![0-9a-z])[0-9a-f]{13,}", "*"),
    (r"(?<=-part-)\d+", "*"),
    (r"(-a\d+-)[0-9a-f]{8}", r"\1*"),
    (r"(?<=/)tmp[a-z0-9_]{8}|(?<=[.-])(?!rollbook)[a-z0-9_]{8}(?=$|[ /])", "*"),
)
"""Commits, nonces and what tempfile makes up; run ids stay."""


def _masked(text: str) -> str:
    for pattern, word in _MASKS:
        text = re.sub(pattern, word, text)
    return text


def digest(world: Path) -> str:
    """Return a digest of all names, kinds, sizes and times of change below `world`."""
    found = hashlib.sha256()
    folders = [str(world)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                with contextlib.suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    is_folder = entry.is_dir(follow_symlinks=False)
                    when = 0 if is_folder else about.st_mtime_ns
                    size = 0 if is_folder else about.st_size
                    found.update(f"{entry.path} {about.st_mode} {size} {when}\n".encode())
                    if is_folder:
                        folders.append(entry.path)
    return found.hexdigest()[:16]
