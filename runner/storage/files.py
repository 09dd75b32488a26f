"""Files that are there as a whole or not at all, and one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from runner.errors import OutsideError

TEMPORARY = ".rollbook-part-"
"""What the name of a file begins with that is not whole yet."""
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EMLINK})
"""What a file system says that has no hard links."""


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a name beside `path` that no other process uses, and leave nothing there."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def create(path: Path, content: bytes) -> None:
    """Create `path` with `content`; raises FileExistsError when it is there."""
    with staged(path) as temporary:
        temporary.write_bytes(content)
        try:
            # A hard link is as exclusive as O_EXCL, and never shows a file half written.
            path.hardlink_to(temporary)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            with path.open("xb") as file:
                file.write(content)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`: readers see the former content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock on `path`, which a process that dies gives up by itself.

    Raises OutsideError when another process holds it for longer than `seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with path.open("ab") as file:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise OutsideError(
                    f"another runner has been at it for {seconds:.0f} s: {path} is locked",
                    cure="wait for it, or stop it",
                )
            time.sleep(0.05)
        yield


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
