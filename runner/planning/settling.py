"""Which experiments a plan need not look at, and what an apply notes for the plans after it.

the ledger's watermark, what differs from its commit -> the few experiments to look at
without one: the ledger's `settled/`, object ids of the tree -> the same, at the cost of all
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from runner import __version__
from runner.git.repository import Difference
from runner.ledger.settled import Settled, SettledRun, settled_path
from runner.ledger.snapshot import Snapshot
from runner.ledger.watermark import Readers, Watermark, readers_with
from runner.planning.actions import Launchable, Plan, by_experiment
from runner.planning.comparing import compared
from runner.planning.settlement import Settlement
from runner.planning.trees import ObjectTree
from runner.registry import Registry
from runner.spec.load import experiment_names, name_of, path_of
from runner.spec.tree import Tree

if TYPE_CHECKING:
    from runner.ledger.draft import Draft

PROGRAM = ("algorithms", "datasets", "models", "rules", "spec", "trainers")
"""The packages that say which runs a spec stands for, and what is wrong with it."""


def basis(registry: Registry) -> str:
    """Return a digest of what is the same for all experiments: the settings and the program."""
    settings = registry.model_dump_json(exclude={"policy", "webhook"})
    return hashlib.sha256(f"{program()}{settings}".encode()).hexdigest()[:16]


@cache
def program() -> str:
    """Return a digest of what says which runs a spec stands for: see `PROGRAM`."""
    package, digest = Path(__file__).parents[1], hashlib.sha256(__version__.encode())
    for folder in PROGRAM:
        for parent, folders, names in os.walk(package / folder):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".py", ".json")):
                    digest.update(Path(parent, name).read_bytes())
    return digest.hexdigest()


def find_settled(
    tree: Tree, snapshot: Snapshot, registry: Registry, also: frozenset[str] = frozenset()
) -> Settlement:
    """Return the experiments of `tree` that are as they were when all their runs were attempted.

    None of them when `tree` does not know the ids of its objects, nor one of `also` or with a
    former run still going on.
    """
    if isinstance(tree, ObjectTree):
        found = _since_watermark(tree, snapshot, basis(registry), also)
        if found:
            return found
    return compare_all(tree, snapshot, registry, also)


def compare_all(
    tree: Tree, snapshot: Snapshot, registry: Registry, also: frozenset[str]
) -> Settlement:
    """Return what `find_settled` does, without the watermark."""
    if isinstance(tree, ObjectTree):
        return compared(tree, snapshot, basis(registry), also)
    return Settlement(tree, snapshot, frozenset(experiment_names(tree)), 0)


def _since_watermark(
    tree: ObjectTree, snapshot: Snapshot, wanted: str, also: frozenset[str]
) -> Settlement | None:
    """Return the settlement that follows from the watermark; None where there is none."""
    mark = snapshot.watermark
    if mark is None or mark.basis != wanted or snapshot.readers is None:
        return None
    difference = tree.since(mark.commit)
    concerned = None if difference is None else _concerned(difference, snapshot.readers)
    if difference is None or concerned is None:
        return None
    looked_at = {*mark.open, *concerned, *also, *_replaced(snapshot)}
    runs = mark.runs
    snapshot.read_shards(map(settled_path, looked_at.difference(mark.open)))  # together
    for name in looked_at.difference(mark.open):
        path = path_of(name)
        was_there = tree.has(path) != (path in difference.come_or_gone)
        if not was_there:
            continue
        note = snapshot.settled_note(name)
        if note is None:
            return None
        runs -= len(note.runs)
    return Settlement(tree, snapshot, frozenset(looked_at), runs)


def _concerned(difference: Difference, readers: Readers) -> set[str] | None:
    """Return the experiments that a difference may concern; None: too many to name."""
    found = {name for path in difference.changed if (name := name_of(path))}
    lists = [readers.files[path] for path in difference.changed & readers.files.keys()]
    for key, names in readers.listings.items():
        folder, _, suffix = key.partition("|")
        below = f"{folder.strip('/')}/" if folder.strip("/") else ""
        if any(p.startswith(below) and p.endswith(suffix) for p in difference.come_or_gone):
            lists.append(names)
    for names in lists:
        if names is None:
            return None
        found.update(names)
    return found


def _replaced(snapshot: Snapshot) -> Iterator[str]:
    """Yield the settled experiments of which a former run goes on."""
    going = snapshot.standings_among(snapshot.active())
    snapshot.read_shards(settled_path(one.experiment) for one in going.values())  # together
    for run_id, standing in going.items():
        note = snapshot.settled_note(standing.experiment)
        if note and all(run.run_id != run_id for run in note.runs):
            yield standing.experiment


# What an apply notes


def put_settled(
    draft: Draft,
    plan: Plan,
    runs: Sequence[Launchable],
    tree: ObjectTree,
    registry: Registry,
) -> None:
    """Note the experiments whose runs have all been attempted, and where all are, the watermark.

    `plan` is of all experiments of `tree`, a commit, and `runs` are its.
    """
    settlement = plan.settled
    assert settlement is not None  # noqa: S101
    fresh = _fresh(draft, runs, tree, registry)
    there = {name for name in settlement.looked_at if tree.has(path_of(name))}
    replaced = {one.experiment for one in plan.actions if one.action == "orphan"}
    left = (there - fresh.keys()) | (there & replaced)
    count = sum(len(one.runs) for name, one in fresh.items() if name not in left)
    mark = Watermark(plan.head, basis(registry), settlement.runs + count, tuple(sorted(left)))
    readers = _readers(draft.snapshot, settlement, mark.basis)
    draft.put_settled({**dict.fromkeys(settlement.looked_at - there), **fresh})
    draft.put_watermark(mark, readers_with(readers, fresh))


def put_settled_of(
    draft: Draft,
    names: Iterable[str],
    runs: Sequence[Launchable],
    tree: ObjectTree,
    registry: Registry,
) -> None:
    """Note the experiments `names` that alone were planned; the watermark counts them as open."""
    mark, readers = draft.snapshot.watermark, draft.snapshot.readers
    fresh = _fresh(draft, runs, tree, registry)
    if mark and readers:
        notes = (draft.snapshot.settled_note(name) for name in {*names}.difference(mark.open))
        count = sum(len(note.runs) for note in notes if note)
        left = tuple(sorted({*mark.open, *names}))
        # Where all notes are compared next, these may hold: what they read must be known by then.
        known = readers_with(readers, fresh)
        draft.put_watermark(mark._replace(runs=mark.runs - count, open=left), known)
    draft.put_settled(fresh)


def _fresh(
    draft: Draft, runs: Sequence[Launchable], tree: ObjectTree, registry: Registry
) -> dict[str, Settled]:
    unknown = {run.action.experiment for run in runs if draft.record(run.resolved.run_id) is None}
    return settle([run for run in runs if run.action.experiment not in unknown], tree, registry)


def _readers(snapshot: Snapshot, settlement: Settlement, wanted: str) -> Readers:
    mark, readers = snapshot.watermark, snapshot.readers
    if mark and readers and mark.basis == wanted:
        return readers
    notes = snapshot.settled
    kept = {name: notes[name] for name in settlement.names() if name in notes}
    return readers_with(Readers({}, {}), kept)


def settle(runs: Sequence[Launchable], tree: ObjectTree, registry: Registry) -> dict[str, Settled]:
    """Return what is to be noted of the experiments of `runs`, all of which have been attempted."""
    wanted, found = basis(registry), dict[str, Settled]()
    for name, own in by_experiment(runs).items():
        footprint = own[0].footprint
        if footprint is not None:
            rows = (
                SettledRun(one.resolved.run_id, one.resolved.run.seed, one.resolved.run.point)
                for one in own
            )
            trainer = own[0].resolved.run.spec.trainer
            found[name] = Settled(tree.blob(path_of(name)), trainer, tuple(rows), footprint, wanted)
    return found
