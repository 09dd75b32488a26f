"""One clone of a registry, opened: its settings, its repository, its ledger."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from runner.git.repository import Repository
from runner.ledger.branch import Ledger
from runner.registry import STATE_FOLDER, Registry, find_root
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
        self.ledger.look_ahead()
        self.repository.look_ahead(revision)


def open_workspace(start: Path) -> Workspace:
    """Open the registry that holds `start`.

    Raises Refused when there is none, InvalidSpec when its settings are invalid.
    """
    root = find_root(start)
    registry = load_registry(WorkTree(root))
    repository = Repository(root)
    return Workspace(
        root, registry, repository, Ledger(repository, registry.ledger, registry.lineage)
    )
