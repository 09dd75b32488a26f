"""Plans that see a part of the ledger's notes only, and what must hold of all notes together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from planned_registry import PlannedRegistry

from runner.git.commit_tree import CommitTree
from runner.ledger.branch import Snapshot
from runner.ledger.settled import FOLDER
from runner.ledger.watermark import WATERMARK
from runner.planning.actions import Plan
from runner.planning.footprint import listing
from runner.planning.planned import plan_tree
from runner.spec.load import experiment_names, path_of
from runner.workspace import Workspace

Told = tuple[list[tuple[str, ...]], int, str]
"""What a plan says: its actions, how many are kept, its digest."""


class PartOfNotes(Snapshot):
    """A ledger without those files of `settled/` that are `hidden`."""

    hidden: Callable[[str], bool]

    def read_shards(self, paths: Iterable[str]) -> dict[str, bytes]:
        return super().read_shards(path for path in paths if not self.hidden(path))

    def _shards(self, paths: Iterable[str]) -> Iterable[bytes]:
        return super()._shards([path for path in paths if not self.hidden(path)])


class WithoutWatermark(PartOfNotes):
    hidden = staticmethod(WATERMARK.__eq__)


class WithoutNotes(PartOfNotes):
    hidden = staticmethod(lambda path: path.startswith(f"{FOLDER}/"))


def reading(workspace: Workspace, kind: type[PartOfNotes]) -> Workspace:
    """Return `workspace` with a ledger of which only a part is seen."""
    repository = workspace.repository
    workspace.ledger._at = lambda commit: kind(repository, commit)  # type: ignore[method-assign]
    return workspace


def told(plan: Plan) -> Told:
    whole = plan.whole()
    rows = [
        (one.experiment, str(one.run_id), str(one.seed), str(one.point), one.action, one.reason)
        for one in whole.actions
    ]
    assert plan.number_of("keep") == sum(row[4] == "keep" for row in rows)
    return sorted(rows), plan.number_of("keep"), plan.digest


def check_notes(registry: PlannedRegistry) -> None:
    """Hold the notes to their commit: all but the open experiments have one that holds."""
    snapshot = registry.snapshot
    mark, readers = snapshot.watermark, snapshot.readers
    assert (mark is None) == (readers is None)
    if mark is None or readers is None:
        return  # no more than some were applied yet
    workspace = reading(registry.workspace, WithoutNotes)
    tree = CommitTree(workspace.repository, mark.commit)
    bare = workspace.ledger.fetch()
    plan = plan_tree(workspace, bare, tree, head=mark.commit, commit=mark.commit).plan
    kept = {(one.experiment, one.run_id) for one in plan.actions if one.action == "keep"}
    settled = [name for name in experiment_names(tree) if name not in mark.open]
    for name in settled:
        one = snapshot.settled[name]
        assert one.basis == mark.basis
        assert tree.blob(path_of(name)) == one.file
        assert {(name, run.run_id) for run in one.runs} <= kept
        assert all(tree.blob(path) == oid for path, oid in one.footprint.files.items())
        assert all(is_among(readers.files[path], name) for path in one.footprint.files)
        for key, digest in one.footprint.listings.items():
            assert listing(tree, *key.split("|", 1)) == digest
            assert is_among(readers.listings[key], name)
    assert mark.runs == sum(len(snapshot.settled[name].runs) for name in settled)


def is_among(names: list[str] | None, name: str) -> bool:
    return names is None or name in names
