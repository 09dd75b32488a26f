"""Objects of the repository, read by one `git cat-file` that stays as long as it is needed.

A process of its own per question would cost a hundred times what the answer does.
"""

from __future__ import annotations

import os
import subprocess
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from runner.errors import OutsideError
from runner.git.process import GitProcess, widen

_TOGETHER = 16 * 1024
"""So many bytes of names are asked for at once: what fits into a pipe blocks nobody."""


class GitObject(NamedTuple):
    """One object as git has it."""

    oid: str
    kind: str
    """`blob`, `tree`, `commit` or `tag`."""
    content: bytes


class Objects:
    """Reads objects by name; safe for threads, and after a fork."""

    def __init__(self, git: GitProcess) -> None:
        """Use `git`; it is started when something is asked for."""
        self._git = git
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        self._expected: list[str] = []
        """Asked for already; what git answers to it has not been taken yet."""
        self._early: dict[str, GitObject | None] = {}
        """Answers that nobody has asked for yet."""

    def begin(self) -> None:
        """Start git, which takes as long as many answers, before anything is asked for."""
        with self._lock:
            self._running()

    def expect(self, names: Iterable[str]) -> None:
        """Let git begin to read what `find` will be asked for by the same names, if it is not much.

        Only for names that stand for the same object then: ids, and what begins with one.
        """
        with self._lock:
            known = {*self._expected, *self._early}
            new = [name for name in dict.fromkeys(names) if name not in known and "\n" not in name]
            if sum(map(len, (*self._expected, *new))) > _TOGETHER:
                return
            try:
                self._request(new)
            except BaseException:
                self._forget()  # nobody knows how much of it git has read
                raise

    def one(self, name: str) -> GitObject | None:
        """Return the object of one name, None where there is none; see `find`."""
        return self.find([name]).get(name)

    def find(self, names: Iterable[str]) -> dict[str, GitObject]:
        """Return the objects that there are, by the names that were given.

        A name is what `git rev-parse` takes: an id, `main`, `<commit>:<path>`, `HEAD^{commit}`.
        What a remote has promised (see `Promised`) is to be fetched before. Raises OutsideError
        when git ends early.
        """
        found: dict[str, GitObject] = {}
        with self._lock:
            try:
                for part in _parts(name for name in names if name and "\n" not in name):
                    found.update(self._ask(part))
            except BaseException as error:
                self._forget()  # what it answers next is not what is asked next
                if not isinstance(error, BrokenPipeError | EOFError):
                    raise
                raise OutsideError(
                    "git cat-file has ended early", cure="try again; git fsck   if it stays so"
                ) from error
        return found

    def _ask(self, names: list[str]) -> Iterator[tuple[str, GitObject]]:
        process = self._running()
        known = {*self._expected, *self._early}
        self._request([name for name in names if name not in known])
        while self._expected:
            self._early[self._expected[0]] = _answer(process)
            del self._expected[0]
        for name in names:
            found = self._early.pop(name)
            if found:
                yield name, found

    def _request(self, names: list[str]) -> None:
        process = self._running()
        assert process.stdin  # noqa: S101
        request = "".join(f"{name}\n" for name in names)
        process.stdin.write(request.encode("utf-8", "surrogateescape"))
        process.stdin.flush()
        self._expected += names

    def _forget(self) -> None:
        self._process = None
        self._expected.clear()
        self._early.clear()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():
            self._forget()
            self._process = self._git.start("cat-file", "--batch", errors=subprocess.DEVNULL)
            widen(self._process)
            self._owner = os.getpid()
            weakref.finalize(self, _stop, self._process)
        return self._process


def _answer(process: subprocess.Popen[bytes]) -> GitObject | None:
    """Take one answer: `<oid> <type> <size>`, bytes, line end; or `<name> missing`.

    Raises EOFError when git has ended.
    """
    assert process.stdout  # noqa: S101
    header = process.stdout.readline()
    if header.endswith((b" missing\n", b" ambiguous\n")):
        return None
    if not header:
        raise EOFError
    oid, kind, size = header.split()
    content = process.stdout.read(int(size) + 1)
    if len(content) <= int(size):
        raise EOFError
    return GitObject(oid.decode(), kind.decode(), content[:-1])


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    part, length = list[str](), 0
    for name in dict.fromkeys(names):
        part.append(name)
        length += len(name)
        if length > _TOGETHER:
            yield part
            part, length = [], 0
    if part:
        yield part


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()
