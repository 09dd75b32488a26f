"""What a plan is going to read, read in a few goes: each question takes a turn of git's.

Only what is read in any case; what is not read here is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.forecast.earlier import NEWEST
from runner.git.repository import CommitTree
from runner.ledger.documents import IDENTITY, METRICS, SPEC
from runner.ledger.record import folder
from runner.ledger.snapshot import Snapshot, record_path
from runner.spec.load import path_of
from runner.spec.tree import Tree

MOST = 200
"""With more experiments to look at, what is kept of the ledger would be much."""


def read_ahead(tree: Tree, snapshot: Snapshot, names: Sequence[str]) -> None:
    """Read the specs `names` of `tree`, DVC's pointers, and what the ledger knows of them."""
    if isinstance(tree, CommitTree):
        tree.read_many([*map(path_of, names), *tree.paths("", ".dvc")])
    if len(names) > MOST:
        return
    entries = snapshot.experiments_of(names)
    runs = dict.fromkeys(run for one in entries for run in (*one.history[-NEWEST:], *one.runs))
    files = (IDENTITY, SPEC, METRICS)
    beside = [f"{folder(run_id)}/{name}" for run_id in runs for name in files]
    snapshot.read_shards([*map(record_path, runs), *beside])
