"""Which experiments a plan need not look at: settled ones of which nothing has changed.

the ledger's `settled/`, `standing.json` + object ids of the tree -> kept runs, without a spec read
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from runner import __version__
from runner.git.repository import CommitTree
from runner.ledger.settled import Footprint, Settled, SettledRun
from runner.ledger.snapshot import Snapshot
from runner.planning.actions import Forced, Kept, Launchable, by_experiment
from runner.planning.footprint import listing
from runner.registry import Registry
from runner.report.wording import kept
from runner.spec.load import path_of
from runner.spec.tree import Tree, WorkTree

PROGRAM = ("algorithms", "datasets", "models", "rules", "spec", "trainers")
"""The packages that say which runs a spec stands for, and what is wrong with it."""


@runtime_checkable
class ObjectTree(Tree, Protocol):
    """A tree that knows the content of its files without reading them."""

    def blob(self, path: str) -> str:
        """Return git's blob id of the file at `path`; empty where there is none."""


class ChangedTree(WorkTree):
    """A work tree, known by its commit but for what has `changed` since."""

    def __init__(self, root: Path, committed: CommitTree, changed: Sequence[str]) -> None:
        """Read below `root`, whose commit is `committed`."""
        super().__init__(root)
        self._committed, self._changed = committed, frozenset(changed)

    def blob(self, path: str) -> str:
        """Return git's blob id of the file at `path`; empty where there is none."""
        known = "" if path in self._changed else self._committed.blob(path)
        return known or _blob_of(self.read(path))


def _blob_of(content: bytes | None) -> str:
    if content is None:
        return ""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def basis(registry: Registry) -> str:
    """Return a digest of what is the same for all experiments: the settings and the program."""
    settings = registry.model_dump_json(exclude={"policy", "webhook"})
    return hashlib.sha256(f"{_program()}{settings}".encode()).hexdigest()[:16]


@cache
def _program() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.sha256(__version__.encode())
    for folder in PROGRAM:
        for path in sorted((package / folder).rglob("*")):
            if path.suffix in (".py", ".json"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def find_settled(
    tree: Tree, snapshot: Snapshot, registry: Registry, forced: Forced
) -> dict[str, Settled]:
    """Return the experiments of `tree` that are as they were when all their runs were attempted.

    None of them when `tree` does not know the ids of its objects, nor one that is forced or has a
    former run still going on.
    """
    if not isinstance(tree, ObjectTree) or not snapshot.settled:
        return {}
    known, sound = snapshot.standings, _Soundness(tree)
    wanted = basis(registry)
    found = {
        name: one
        for name, one in snapshot.settled.items()
        if one.basis == wanted
        and tree.blob(path_of(name)) == one.file
        and sound.holds(one.footprint)
        and all(run.run_id in known for run in one.runs)
        and name not in forced.names
    }
    for run_id in snapshot.active():
        name = known[run_id].experiment if run_id in known else ""
        if name in found and all(run.run_id != run_id for run in found[name].runs):
            del found[name]
    return found


class _Soundness:
    """Whether footprints are those of a tree; most experiments share a few."""

    def __init__(self, tree: ObjectTree) -> None:
        self._tree = tree
        self._blobs: dict[str, str] = {}
        self._listings: dict[str, str] = {}
        self._known: dict[int, bool] = {}

    def holds(self, footprint: Footprint) -> bool:
        found = self._known.get(id(footprint))
        if found is None:
            found = self._known[id(footprint)] = self._holds(footprint)
        return found

    def _holds(self, footprint: Footprint) -> bool:
        return all(self._blob(path) == one for path, one in footprint.files.items()) and all(
            self._listing(key) == one for key, one in footprint.listings.items()
        )

    def _blob(self, path: str) -> str:
        if path not in self._blobs:
            self._blobs[path] = self._tree.blob(path)
        return self._blobs[path]

    def _listing(self, key: str) -> str:
        if key not in self._listings:
            self._listings[key] = listing(self._tree, *key.split("|", 1))
        return self._listings[key]


def kept_runs(settled: Mapping[str, Settled], snapshot: Snapshot) -> Iterator[Kept]:
    """Yield the runs of `settled` in order of name, each with why it is kept."""
    standings = snapshot.standings
    for name in sorted(settled):
        one = settled[name]
        for run in one.runs:
            reason = kept(run.run_id, standings[run.run_id], name)
            yield Kept(name, run, reason, one.trainer)


def settle(runs: Sequence[Launchable], tree: CommitTree, registry: Registry) -> dict[str, Settled]:
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
