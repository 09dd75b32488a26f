"""The segments of shared memory that a job's processes use, and what is left of them when it died.

Segments are known by inode: glibc maps a named semaphore under a temporary name, so the kernel's
list of mappings does not tell what it is called below /dev/shm.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from runner.storage.files import write_atomically

NOTES = "shared-memory.txt"
"""In the job's folder: inodes of the segments that its processes have mapped so far."""
SEGMENTS = Path("/dev/shm")  # noqa: S108
_MAPPING = re.compile(rf"\S+ \S+ \S+ \S+ (?P<inode>[1-9]\d*) +{SEGMENTS}/")
"""A line of /proc/<pid>/maps about a segment: address, permissions, offset, device, inode, path."""


def note(folder: Path, processes: Iterable[psutil.Process]) -> None:
    """Add the segments that `processes` have mapped to the notes in the job's `folder`."""
    known = _noted(folder)
    mapped = {inode for process in processes for inode in _mapped(process.pid)}
    if mapped - known:
        text = "\n".join(str(inode) for inode in sorted(known | mapped))
        write_atomically(folder / NOTES, text.encode())


def free(folder: Path, began: float | None) -> None:
    """Remove what is left of a job that has ended: what was noted, and verl's abandoned weights.

    The latter live for seconds, so they may never have been noted: those made since the job
    `began` (seconds since 1970) that no process maps any more.
    """
    noted, mapped = _noted(folder), None
    for path, state in _ours():
        abandoned = False
        if path.name.startswith("verl_weights_") and began is not None and state.st_ctime >= began:
            mapped = mapped or {inode for pid in psutil.pids() for inode in _mapped(pid)}
            abandoned = state.st_ino not in mapped
        if abandoned or state.st_ino in noted:
            with contextlib.suppress(OSError):
                path.unlink()


def left(folder: Path) -> list[str]:
    """Return the names of the noted segments that are still there."""
    noted = _noted(folder)
    return [path.name for path, state in _ours() if state.st_ino in noted]


def _ours() -> Iterator[tuple[Path, os.stat_result]]:
    """Yield this user's segments, on a machine that others use too."""
    for path in SEGMENTS.iterdir() if SEGMENTS.is_dir() else ():
        with contextlib.suppress(OSError):
            state = path.stat()
            if state.st_uid == os.getuid() and path.is_file():
                yield path, state


def _noted(folder: Path) -> set[int]:
    path = folder / NOTES
    return {int(line) for line in path.read_text().split()} if path.exists() else set()


def _mapped(pid: int) -> Iterator[int]:
    try:
        lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        if match := _MAPPING.match(line):
            yield int(match["inode"])
