"""The experiments of a tree of which nothing has changed since all their runs were attempted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from runner.ledger.settled import Settled, SettledRun
from runner.ledger.sharing import shared_by
from runner.ledger.snapshot import Snapshot
from runner.ledger.standing import Standing, standing_of
from runner.planning.trees import ObjectTree
from runner.report.wording import kept
from runner.spec.load import experiment_names, path_of
from runner.spec.tree import Tree


class Kept(NamedTuple):
    """A run of which nothing has changed since it was attempted."""

    experiment: str
    run: SettledRun
    reason: str
    trainer: str


class Incomplete(Exception):
    """The ledger lacks the note of an experiment that counted as settled."""


class Settlement:
    """What a plan passes over; the notes of it are read when they are asked for."""

    def __init__(
        self, tree: Tree, snapshot: Snapshot, looked_at: frozenset[str], runs: int
    ) -> None:
        """Pass over all experiments of `tree` but those that are `looked_at`.

        `runs` are theirs; `looked_at` also names experiments that are gone from the tree.
        """
        self.looked_at = looked_at
        self.runs = runs
        self._tree = tree
        self._snapshot = snapshot

    def __contains__(self, name: str) -> bool:
        """Whether the experiment of this name is passed over."""
        if not self.runs or name in self.looked_at or not isinstance(self._tree, ObjectTree):
            return False
        return self._tree.has(path_of(name))

    def get(self, name: str) -> Settled | None:
        """Return what is noted of an experiment that is passed over, None for another name.

        Raises Incomplete where there ought to be a note.
        """
        if not self.runs or name in self.looked_at:
            return None
        note = self._snapshot.settled_note(name)
        if note is None and name in self.names():
            raise Incomplete(name)
        return note

    def runs_of(self, name: str) -> Sequence[SettledRun]:
        """Return the runs of an experiment that is passed over; none for another name."""
        note = self.get(name)
        return note.runs if note else ()

    def keeps(self, run_id: str) -> bool:
        """Whether the run is of an experiment that is passed over."""
        standing = self._snapshot.standings_among([run_id]).get(run_id)
        known = standing or self._snapshot.record(run_id)
        if known is None:
            return False
        return self._has(known.experiment, run_id) or any(
            self._has(name, run_id) for name in shared_by(self._snapshot, [run_id])
        )

    def _has(self, name: str, run_id: str) -> bool:
        return any(run.run_id == run_id for run in self.runs_of(name))

    def names(self) -> Sequence[str]:
        """Return the names of the experiments that are passed over, sorted."""
        there = experiment_names(self._tree) if self.runs else ()
        return [name for name in there if name not in self.looked_at]

    def kept(self) -> Iterator[Kept]:
        """Yield the runs in order of name, each with why it is kept.

        Where the ledger lacks the note of an experiment, its runs are missing.
        """
        standings, notes = self._snapshot.standings, self._snapshot.settled
        for name in self.names():
            note = notes.get(name)
            for run in note.runs if note else ():
                if standing := standings.get(run.run_id) or self._recorded(run.run_id):
                    reason = kept(run.run_id, standing, name)
                    yield Kept(name, run, reason, note.trainer if note else "")

    def _recorded(self, run_id: str) -> Standing | None:
        record = self._snapshot.record(run_id)
        return standing_of(record) if record else None
