"""Trees that know the content of their files, and what differs from a commit, without reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from runner.git.commit_tree import CommitTree
from runner.git.repository import Difference
from runner.spec.inputs import blob_id
from runner.spec.tree import Tree, WorkTree


@runtime_checkable
class ObjectTree(Tree, Protocol):
    """A tree that knows the content of its files without reading them."""

    def blob(self, path: str) -> str:
        """Return git's blob id of the file at `path`; empty where there is none."""

    def has(self, path: str) -> bool:
        """Whether there is something at `path`: a file, or a link, which has no blob."""

    def since(self, commit: str) -> Difference | None:
        """Return what differs from `commit`; None when that is out of reach."""


class ChangedTree(WorkTree):
    """A work tree: its commit's files, read as those, but for what has `changed` since."""

    def __init__(self, root: Path, committed: CommitTree, changed: Sequence[str]) -> None:
        """Read below `root`, whose commit is `committed`."""
        super().__init__(root)
        self._committed, self._changed = committed, frozenset(changed)

    def _is_as_committed(self, path: str) -> bool:
        return path not in self._changed and self._committed.has(path)

    def read(self, path: str) -> bytes | None:
        """Return the contents of `path`; None where there is no such file."""
        return self._committed.read(path) if self._is_as_committed(path) else super().read(path)

    def paths(self, folder: str = "", suffix: str = "") -> list[str]:
        """Return the files below `folder` whose name ends with `suffix`, sorted."""
        committed = self._committed.paths(folder, suffix)
        there = (path for path in committed if path not in self._changed or self.has(path))
        return sorted({*there, *super().paths(folder, suffix)})

    def blob(self, path: str) -> str:
        """Return git's blob id of the file at `path`; empty where there is none."""
        if self._is_as_committed(path):
            return self._committed.blob(path)
        content = self.read(path)
        return "" if content is None else blob_id(content)

    def since(self, commit: str) -> Difference | None:
        """Return what differs from `commit`; None when that is out of reach."""
        committed = self._committed.since(commit)
        if committed is None:
            return None
        other = {p for p in self._changed if self.has(p) != self._committed.has(p)}
        return Difference(
            # What has gone with a commit and is back in the work tree is neither.
            committed.changed | self._changed,
            committed.come_or_gone ^ frozenset(other),
        )

    def has(self, path: str) -> bool:
        """Whether there is something at `path`: a file, or a link, which has no blob."""
        if path in self._changed or not self._committed.has(path):
            place = self.place(path)
            return place.is_file() or place.is_symlink()
        return True
