"""The input of `git fast-import` that makes one commit, and the runner's identity in git."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from runner.errors import Refused

AUTHOR = "Rollbook runner <runner@rollbook.noreply.invalid>"
"""Who commits to the ledger, so that a machine without user.name can."""


def commit_stream(
    reference: str, parent: str | None, files: Mapping[str, bytes | None], message: str
) -> bytes:
    """Return the stream that commits `files` (None: deleted) on `parent` and prints the commit.

    Raises Refused for a path that cannot be written in it or is not a plain relative path.
    """
    return b"".join(_parts(reference, parent, files, message))


def _parts(
    reference: str, parent: str | None, files: Mapping[str, bytes | None], message: str
) -> Iterator[bytes]:
    yield f"commit {reference}\nmark :1\ncommitter {AUTHOR} {int(time.time())} +0000\n".encode()
    yield _data(message.encode())
    if parent:
        yield f"from {parent}\n".encode()
    for path in sorted(files):
        content = files[path]
        name = _checked(path).encode()
        yield b"D %s\n" % name if content is None else b"M 100644 inline %s\n" % name
        yield b"" if content is None else _data(content)
    yield b"\nget-mark :1\ndone\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _checked(path: str) -> str:
    plain = path.isprintable() and not path.startswith('"')
    if not plain or any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise Refused(f"{path!r} is no path that can be committed")
    return path
