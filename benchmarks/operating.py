"""One operation on a large registry, in a process of its own, so that its memory can be told.

    python -m benchmarks.operating apply|sync|pages ROOT [STORE]

Prints, as JSON, what it asked of others. The launcher only counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.counting import CountingLauncher, counted
from runner.apply import apply
from runner.forges.none import NoForge
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes
from runner.report.publish import published_files
from runner.sync import sync
from runner.workspace import Workspace, open_workspace


def operate(verb: str, workspace: Workspace, launcher: CountingLauncher) -> dict[str, int]:
    """Do it and return what it asked of others, counted."""
    started: Any = launcher
    verbs: dict[str, Callable[..., Any]] = {"apply": apply, "sync": sync, "pages": _make_pages}
    with counted() as counts:
        verbs[verb](workspace, started, NoForge())
    return {**counts, **{f"launcher {name}": calls for name, calls in launcher.calls.items()}}


def _make_pages(workspace: Workspace, *_: Any) -> None:
    """Write the pages of one experiment, and the leaderboard anew from all records."""

    def step(snapshot: Snapshot) -> Changes:
        first = next(iter(snapshot.experiments().values()))
        records = snapshot.records(first.runs).values()
        return Changes(published_files(workspace, snapshot, records), "Pages")

    workspace.ledger.transact(step)


def opened(root: Path, store: str | None = None) -> Workspace:
    """Return the registry at `root`, with another run store if one is given."""
    workspace = open_workspace(root)
    if store is None:
        return workspace
    registry = workspace.registry.model_copy(update={"run_store": store})
    return workspace._replace(registry=registry)


if __name__ == "__main__":
    print(
        json.dumps(
            operate(sys.argv[1], opened(Path(sys.argv[2]), *sys.argv[3:]), CountingLauncher())
        )
    )
