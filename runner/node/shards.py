"""Checkpoints of several nodes: each writes its own shards, which meet again in the run store.

A trainer that shards its weights over nodes has each of them write its part to its own disk. Rank 0
knows when a checkpoint is complete; it then has the others upload their files to where its own go,
and writes the manifest, with the digests of all, when all have answered. Where the nodes share the
disk rank 0 has all the files itself.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runner.errors import OutsideError
from runner.node.ranks import Fellows, Message
from runner.storage.files import sha256_of
from runner.storage.store import RunStore

UPLOAD_SECONDS = 6 * 3600.0
"""For the other nodes to upload their shards of one checkpoint."""
SETTLE_SECONDS = 1.0
"""A node's shard is whole when it does not change for so long: rank 0's was, before it asks."""

Marks = tuple[tuple[str, int, int], ...]
"""Path, size and time of change of each file of a checkpoint."""
Digests = dict[str, str]
"""SHA-256 by path, relative to the folder of checkpoints."""


def files_of(folder: Path) -> list[Path]:
    """Return the files of the checkpoint in `folder`."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def marks_of(folder: Path) -> Marks:
    """Return what changes when a file of the checkpoint does; empty while it has none."""
    found = []
    for path in files_of(folder):
        with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
            state = path.stat()
            found.append((str(path), state.st_size, state.st_mtime_ns))
    return tuple(found)


def digests_of(folder: Path) -> Digests:
    """Return the digests of the files of the checkpoint in `folder`."""
    return {str(path.relative_to(folder.parent)): sha256_of(path) for path in files_of(folder)}


class Shards:
    """The other nodes' parts of checkpoints, as rank 0 asks for them."""

    def __init__(self, fellows: Fellows) -> None:
        """Ask `fellows`; with none of them nothing is asked."""
        self._fellows = fellows
        self._numbers = itertools.count(1)
        self._asked = 0

    def ask(self, folder: Path, target: str) -> None:
        """Have the others upload their files of the checkpoint `folder` to `target`."""
        self._asked = next(self._numbers)
        names = [str(path.relative_to(folder.parent)) for path in files_of(folder)]
        self._fellows.tell(
            "checkpoint", about=self._asked, folder=folder.name, target=target, names=names
        )

    def joined(self, own: Digests) -> Digests:
        """Wait for the others, and return the digests of all files.

        Raises OutsideError when one could not upload its part, or when two have written different
        files of one name, of which only one could be kept.
        """
        everything = dict(own)
        answers = self._fellows.gather("shards", UPLOAD_SECONDS, self._asked)
        for rank, answer in sorted(answers.items()):
            if answer["error"]:
                raise OutsideError(f"node {rank} could not save its part: {answer['error']}")
            for name, digest in answer["files"].items():
                if everything.setdefault(name, digest) != digest:
                    raise OutsideError(
                        f"node {rank} and another have both written {name}, and not the same",
                        cure="put ROLLBOOK_NODE_RANK into the names of what each node writes",
                    )
        return everything


class ShardSender:
    """One of the other nodes: it uploads its files of the checkpoints that rank 0 asks for."""

    def __init__(self, folder: Path, store: RunStore, fellows: Fellows, *, is_shared: bool) -> None:
        """Upload from `folder`, the trainer's; nothing where rank 0 has the same disk."""
        self._folder, self._store, self._fellows = folder, store, fellows
        self._is_shared = is_shared
        self._pool = ThreadPoolExecutor(1, "shards")

    def advance(self) -> None:
        """Start on what rank 0 has asked for since the last call."""
        for _, asked in self._fellows.taken("checkpoint"):
            self._pool.submit(self._answer, asked)

    def close(self) -> None:
        """Give up what has not been started; nobody waits for it any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, asked: Message) -> None:
        error, files = "", Digests()
        try:
            files = {} if self._is_shared else self._send(asked)
        except OSError as fault:  # such as a full disk, or a file that was pruned
            error = fault.strerror or str(fault)
        except OutsideError as fault:
            error = fault.message
        self._fellows.tell("shards", about=asked["about"], files=files, error=error)

    def _send(self, asked: Message) -> Digests:
        folder = self._folder / str(asked["folder"])
        _settle(folder)
        files, theirs = digests_of(folder), set(asked["names"])
        for name in files:
            if name not in theirs:
                self._store.upload(self._folder / name, f"{asked['target']}/{name}")
        return files


def _settle(folder: Path) -> None:
    for before, after in itertools.pairwise(_looks(folder)):
        if before == after:
            return


def _looks(folder: Path) -> Iterator[Marks]:
    while True:
        yield marks_of(folder)
        time.sleep(SETTLE_SECONDS)
