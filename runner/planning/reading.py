"""What a plan is going to read: git begins to read it before it is asked for.

Each question takes a turn of git's, and git works while modules are loaded and specs are checked.
Only what is read in any case; what is not foreseen here is read when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from runner.forecast.earlier import NEWEST
from runner.git.commit_tree import CommitTree
from runner.ledger.documents import IDENTITY, METRICS, SPEC
from runner.ledger.entry import entry_path
from runner.ledger.record import folder
from runner.ledger.settled import settled_path
from runner.ledger.snapshot import Snapshot, record_path
from runner.planning.trees import ObjectTree
from runner.spec.load import name_of, path_of
from runner.spec.tree import Tree

MOST = 200
"""With more experiments to look at, what is kept of the ledger would be much."""


def begin_to_read(tree: Tree, snapshot: Snapshot) -> None:
    """Let git begin to read what planning `tree` asks first, as far as the watermark tells."""
    mark = snapshot.watermark
    difference = tree.since(mark.commit) if mark and isinstance(tree, ObjectTree) else None
    if mark is None or difference is None:
        return
    changed = (name for path in sorted(difference.changed) if (name := name_of(path)))
    names = list(islice(chain(mark.open, changed), MOST))
    snapshot.expect([*map(settled_path, names), *map(entry_path, names)])
    if isinstance(tree, CommitTree):
        tree.expect(map(path_of, names))


def read_ahead(tree: Tree, snapshot: Snapshot, names: Sequence[str]) -> None:
    """Read the specs `names` of `tree` and DVC's pointers, and begin with what the ledger knows."""
    if isinstance(tree, CommitTree):
        tree.read_many([*map(path_of, names), *tree.paths("", ".dvc")])
    if len(names) > MOST:
        return
    entries = snapshot.experiments_of(names)
    runs = dict.fromkeys(run for one in entries for run in (*one.history[-NEWEST:], *one.runs))
    files = (IDENTITY, SPEC, METRICS)
    beside = [f"{folder(run_id)}/{name}" for run_id in runs for name in files]
    snapshot.expect([*map(record_path, runs), *beside])
