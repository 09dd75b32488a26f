"""Which runs are listed: what goes on with what ended last, or all of them.

Of a large registry the first reads where runs stand (`runner.ledger.standing`), and the records of
those alone that are shown; the second reads some at a time and forgets them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.ledger.documents import spec_path
from runner.ledger.entry import ExperimentEntry, entry_path
from runner.ledger.record import RunRecord, State
from runner.ledger.sharing import shared_by, shared_path
from runner.ledger.snapshot import Snapshot, record_path
from runner.ledger.standing import Standing, standings_of
from runner.report.reports import in_portions

ROWS = 50
"""Runs that are listed where not all are asked for."""
ENDED = 10
"""So many of them have ended, however many go on."""
_GOING: tuple[State, ...] = ("running", "waiting", "submitted", "claimed")
"""In the order in which they are listed."""


class Listed(NamedTuple):
    """A run under the name of an experiment; two files of one identity list it twice."""

    record: RunRecord
    entry: ExperimentEntry | None
    """What stands for the run now; None for one of an earlier version."""
    snapshot: Snapshot
    """The part of the ledger that was read for it."""


class Lately(NamedTuple):
    """What goes on, and what ended last."""

    runs: tuple[Listed, ...]
    going: int
    """Runs that go on, shown or not."""
    more: int
    """Runs that are not shown, those of earlier versions included."""
    more_going: int


def everything(snapshot: Snapshot, *, all_runs: bool) -> Iterator[Listed]:
    """Yield the runs of the present specs and whatever goes on, or all runs, by experiment."""
    going = frozenset(() if all_runs else going_runs(standings(snapshot)))

    def wanted(entry: ExperimentEntry) -> list[str]:
        former = (run_id for run_id in entry.history if run_id not in entry.runs)
        return [*(one for one in former if all_runs or one in going), *entry.runs]

    for part in in_portions(snapshot, snapshot.experiments().values(), wanted):
        for entry in part.entries:
            for record in part.of(wanted(entry)):
                stands = entry if record.run_id in entry.runs else None
                yield Listed(_named(record, entry.name), stands, part.snapshot)


def lately(snapshot: Snapshot) -> Lately:
    """Return what goes on and what ended last, of the present specs, at most `ROWS` runs."""
    known = standings(snapshot)
    going = going_runs(known)
    ended = sorted(known.keys() - going, key=lambda one: _end(known[one]), reverse=True)
    shown = going[: ROWS - min(ENDED, len(ended))]
    last = _last(snapshot, known, ended, ROWS - len(shown))
    runs = (*_under_names(snapshot, known, shown), *last)
    more = len(known) - len({one.record.run_id for one in runs})
    return Lately(runs, len(going), more, len(going) - len(shown))


def standings(snapshot: Snapshot) -> dict[str, Standing]:
    """Return where each run stands, from the records where the short form is lost.

    Raises Refused when one of those cannot be read.
    """
    found = dict(snapshot.standings)
    whole = {run_id[:2] for run_id in found}
    for shard in snapshot.names("runs"):
        if shard not in whole:
            found |= standings_of(snapshot.records(snapshot.names(f"runs/{shard}")).values())
    return found


def going_runs(known: Mapping[str, Standing]) -> list[str]:
    """Return the runs that go on: what runs, then what waits, each by experiment."""
    going = (run_id for run_id, one in known.items() if one.state != "ended")
    return sorted(
        going, key=lambda one: (_GOING.index(known[one].state), known[one].experiment, one)
    )


def _end(standing: Standing) -> str:
    return standing.ended_at or ""


def _last(
    snapshot: Snapshot, known: Mapping[str, Standing], ended: Sequence[str], most: int
) -> list[Listed]:
    """Return the newest of the ended runs that something stands for now."""
    found: dict[str, list[Listed]] = {}
    for first in range(0, len(ended), ROWS):
        for one in _under_names(snapshot.afresh(), known, ended[first : first + ROWS]):
            if one.entry:
                found.setdefault(one.record.run_id, []).append(one)
        if len(found) >= most:
            break
    return [one for group in list(found.values())[:most] for one in group]


def _under_names(
    snapshot: Snapshot, known: Mapping[str, Standing], run_ids: Sequence[str]
) -> Iterator[Listed]:
    """Yield runs under each name that stands for them now, else under the first one."""
    paths = (
        (record_path(one), spec_path(one), shared_path(one), entry_path(known[one].experiment))
        for one in run_ids
    )
    snapshot.read_shards(path for of_one in paths for path in of_one)
    for run_id, record in snapshot.records(run_ids).items():
        names = (known[run_id].experiment, *shared_by(snapshot, [run_id]))
        entries = (entry for name in names if (entry := snapshot.experiment(name)))
        standing = [entry for entry in entries if run_id in entry.runs]
        for entry in standing:
            yield Listed(_named(record, entry.name), entry, snapshot)
        if not standing:
            yield Listed(record, None, snapshot)


def _named(record: RunRecord, experiment: str) -> RunRecord:
    return record.model_copy(update={"experiment": experiment})
