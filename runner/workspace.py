"""One clone of a registry, opened: its settings, its repository, its ledger."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from runner.errors import OutsideError
from runner.git.repository import Repository
from runner.ledger.branch import Ledger
from runner.registry import Registry
from runner.root import STATE_FOLDER, find_root
from runner.spec.check import load_registry
from runner.spec.tree import WorkTree


class Workspace(NamedTuple):
    """What every verb needs."""

    root: Path
    registry: Registry
    repository: Repository
    ledger: Ledger

    @property
    def state(self) -> Path:
        """Folder for what this clone keeps to itself; ignored by git."""
        return self.root / STATE_FOLDER

    def look_ahead(self, revision: str | None) -> None:
        """Let git begin with what a plan will ask it; see `Repository.look_ahead`."""
        seen = self.ledger.look_ahead()
        with suppress(OutsideError):
            mark = seen.watermark if seen else None
            self.repository.look_ahead(revision, since=mark.commit if mark else None)


def open_workspace(start: Path) -> Workspace:
    """Open the registry that holds `start`.

    Raises Refused when there is none, InvalidSpec when its settings are invalid.
    """
    return workspace_of(Repository(find_root(start)))


def workspace_of(repository: Repository) -> Workspace:
    """Open the registry of a repository; raises as `open_workspace` does."""
    registry = load_registry(WorkTree(repository.root))
    ledger = Ledger(repository, registry.ledger, registry.lineage)
    return Workspace(repository.root, registry, repository, ledger)
