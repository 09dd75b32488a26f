"""A node program as a process: one per job folder, findable, and swept up behind when it died.

Every process that a job starts carries the job's name in its environment (`MARKER`), whatever
session or parent it ends up with. That is how leftovers are found when the node program was killed
and could not clean up itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from runner.errors import Refused
from runner.node import shared_memory
from runner.storage.files import write_atomically

MARKER = "ROLLBOOK_JOB"
START = "ROLLBOOK_START"
"""Tells the starts of one job apart where a launcher starts it again: two of them may be on one
machine, one still ending. Not set where a job has one start."""
TASK = "task.json"
LOG = "node.log"
LOCK = "lock"
PROCESS = "process.json"
CANCELLED = "cancelled"
"""Mark that whoever cancels a job leaves before stopping it; another signal is no cancellation."""
LONGEST_TEMPORARY = 36
"""Characters of a job's temporary folder: Ray adds up to 70 to make a socket, vLLM 37."""
KILL_DEADLINE = 10.0
LOOK_SECONDS = 1.0
"""Whoever asks whether a job lives holds its lock for an instant, which is no other program's."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be the one node program of the job in `folder`.

    Raises Refused when another one is, or was: a job is started once.
    """
    with _lock(folder / LOCK, blocking=False, patience=LOOK_SECONDS) as locked:
        if not locked or has_started(folder):
            raise Refused(f"job {folder.name} has its node program already")
        own = psutil.Process()
        about = {"pid": own.pid, "created": own.create_time()}
        write_atomically(folder / PROCESS, json.dumps(about).encode())
        yield


@contextlib.contextmanager
def queued(path: Path) -> Iterator[None]:
    """Wait for the lock on `path`, in which jobs of one machine take turns, and hold it."""
    with _lock(path, blocking=True):
        yield


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock on `path`."""
    with _lock(path, blocking=False) as locked:
        return locked


def is_alive(folder: Path) -> bool:
    """Whether the job's node program lives."""
    lock = folder / LOCK
    return lock.exists() and not is_free(lock)


def has_started(folder: Path) -> bool:
    """Whether the job's node program has ever been started."""
    return (folder / PROCESS).exists()


def is_cancelled(folder: Path) -> bool:
    """Whether somebody has cancelled the job."""
    return (folder / CANCELLED).exists()


def process_of(folder: Path) -> psutil.Process | None:
    """Return the job's node program if that very process still exists."""
    try:
        about = json.loads((folder / PROCESS).read_text())
        process = psutil.Process(about["pid"])
        same = abs(process.create_time() - about["created"]) < 0.01
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return process if same else None


def marked_processes(job: str) -> list[psutil.Process]:
    """Return all processes of `job` that live, except this one and those of other starts."""
    found = []
    wanted = (job, os.environ.get(START))
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and _marks(process) == wanted:
                found.append(process)
    return found


def _marks(process: psutil.Process) -> tuple[str | None, str | None]:
    environment = process.environ()
    return environment.get(MARKER), environment.get(START)


def sweep(folder: Path) -> None:
    """Kill what is left of a job whose node program has ended; free its memory and its disk."""
    _kill(marked_processes(folder.name))
    began = (folder / PROCESS).stat().st_mtime if has_started(folder) else None
    shared_memory.free(folder, began)
    shutil.rmtree(temporary_folder(folder.name), ignore_errors=True)
    if scratch := _scratch(folder):
        # What is worth keeping is in the run store.
        shutil.rmtree(folder / scratch, ignore_errors=True)


def temporary_folder(job: str) -> Path:
    """Return the job's folder for sockets and what libraries put into TMPDIR.

    Its name is short, since a socket's path has at most 107 characters, and follows from the job's,
    so that it is found again when the job was killed. Where TMPDIR leaves too few of them for
    the sockets of Ray and vLLM, it is below /tmp.
    """
    whole = f"{job}{os.environ.get(START, '')}"
    name = f"rb-{hashlib.sha256(whole.encode()).hexdigest()[:10]}"
    usual = Path(tempfile.gettempdir()) / name
    return usual if len(str(usual)) <= LONGEST_TEMPORARY else Path("/tmp") / name  # noqa: S108


def name_on(job: str, rank: int) -> str:
    """Return the name of a job's part on one of its nodes; on the first it is the job's own.

    Two nodes may be two addresses of one machine, and two parts must not sweep each other up.
    """
    return f"{job}.node-{rank}" if rank else job


def _scratch(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / TASK).read_text())["scratch"])
    except (OSError, ValueError, KeyError):
        return None


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=KILL_DEADLINE)


@contextlib.contextmanager
def _lock(path: Path, *, blocking: bool, patience: float = 0.0) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    operation = fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB)
    deadline = time.monotonic() + patience
    with path.open("ab") as file:
        while not (locked := _flock(file, operation)) and time.monotonic() < deadline:
            time.sleep(0.02)
        try:
            yield locked
        finally:
            if locked:
                fcntl.flock(file, fcntl.LOCK_UN)


def _flock(file: IO[bytes], operation: int) -> bool:
    try:
        fcntl.flock(file, operation)
    except BlockingIOError:
        return False
    return True
