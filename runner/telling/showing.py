"""What is shown of an experiment, and at which commits.

Its present runs are shown together, at the commit that was reconciled, at those that its runs that
go on or have just ended were launched from, and at the one that brought its file, where nothing was
launched from that: two requests merged quickly are applied as one. Runs of former versions are
shown at their own commits, so that nothing there stays pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from runner.ledger.branch import Snapshot
from runner.ledger.entry import ExperimentEntry
from runner.ledger.outbox import Outbox
from runner.ledger.record import RunRecord
from runner.report.progress import ProgressRow, row_of
from runner.report.reports import report_of, reports_of
from runner.report.sections import RunReport
from runner.report.statuses import Moment, Told, tell
from runner.storage.runfolder import attempt_folder
from runner.workspace import Workspace


class Showing(NamedTuple):
    """One experiment at one commit."""

    experiment: str
    commit: str
    told: Told
    reports: tuple[RunReport, ...] = ()
    """Empty for what was never launched: it has no page."""
    moment: Moment = Moment(datetime.min.replace(tzinfo=UTC))
    introduced: str | None = None
    """The commit that brought the experiment's file as it is at `commit`."""


def spec_path(experiment: str) -> str:
    """Return where an experiment's file is in the registry."""
    return f"experiments/{experiment}.yaml"


def standing(snapshot: Snapshot, name: str, outbox: Outbox) -> str:
    """Return a text that changes when the experiment's status should be told at once."""
    entry = snapshot.experiment(name)
    records = _all_runs(snapshot, entry).values()
    runs = [
        f"{r.run_id} {r.latest.number} {r.latest.state} {r.latest.outcome} {r.latest.reason}"
        for r in records
    ]
    known = repr((entry.runs, entry.expect, entry.commit)) if entry else ""
    return "\n".join([*runs, known, repr(outbox.unlaunched.get(name))])


def showings(workspace: Workspace, snapshot: Snapshot, name: str, outbox: Outbox) -> list[Showing]:
    """Return what is to be shown of an experiment, the present first; nothing for an unknown one.

    Raises OutsideError when the run store does not answer.
    """
    entry = snapshot.experiment(name)
    present = _present(workspace, snapshot, entry, outbox) if entry else []
    note = outbox.unlaunched.get(name)
    noted = [Showing(name, note.commit, Told(note.state, note.description))] if note else []
    former = _former(workspace, snapshot, entry, outbox) if entry else []
    shown: dict[str, Showing] = {}
    for showing in (*present, *noted, *former):
        shown.setdefault(showing.commit, showing)
    return list(shown.values())


def _present(
    workspace: Workspace, snapshot: Snapshot, entry: ExperimentEntry, outbox: Outbox
) -> list[Showing]:
    reports = tuple(reports_of(workspace, snapshot, entry))
    if not reports:
        return []
    records = [report.record for report in reports]
    seen = _moment(workspace, reports)
    told = tell(reports[0].spec, records, seen)
    note = outbox.unlaunched.get(entry.name)
    if note and told.state == "success":  # what has run is well, and something is still to run
        told = Told(note.state, note.description)
    news = _news(outbox, entry.name)
    touched = [r.latest.commit for r in records if r.is_active or r.run_id in news]
    newest = max(records, key=lambda record: record.latest.claimed_at)
    commits = dict.fromkeys((newest.latest.commit, entry.commit, *touched))
    launched_from = {r.latest.commit for r in _all_runs(snapshot, entry).values()}
    found = [
        Showing(entry.name, commit, told, reports, seen, _introduced(workspace, commit, entry.name))
        for commit in commits
    ]
    brought = [
        showing._replace(commit=showing.introduced)
        for showing in found
        if showing.introduced and showing.introduced not in launched_from
    ]
    return [*found, *brought]


def _former(
    workspace: Workspace, snapshot: Snapshot, entry: ExperimentEntry, outbox: Outbox
) -> list[Showing]:
    """Return former versions of which a run goes on or has just ended, each at its commit."""
    news = _news(outbox, entry.name)
    by_commit: dict[str, list[RunRecord]] = {}
    for run_id, record in _all_runs(snapshot, entry).items():
        if run_id not in entry.runs:
            by_commit.setdefault(record.latest.commit, []).append(record)
    found = []
    for commit, records in by_commit.items():
        if any(record.is_active or record.run_id in news for record in records):
            reports = tuple(report_of(workspace, snapshot, record) for record in records)
            seen = _moment(workspace, reports)
            told = tell(reports[0].spec, records, seen)
            brought = _introduced(workspace, commit, entry.name)
            found.append(Showing(entry.name, commit, told, reports, seen, brought))
    return found


def _news(outbox: Outbox, name: str) -> frozenset[str]:
    return frozenset(event.run_id for event in outbox.forge if event.experiment == name)


def _all_runs(snapshot: Snapshot, entry: ExperimentEntry | None) -> dict[str, RunRecord]:
    return snapshot.records((*entry.history, *entry.runs)) if entry else {}


def _introduced(workspace: Workspace, commit: str, name: str) -> str | None:
    return workspace.repository.history.last_change(commit, spec_path(name))


def _moment(workspace: Workspace, reports: Sequence[RunReport]) -> Moment:
    """Return how those runs that go on fare now."""
    rows: dict[str, ProgressRow] = {}
    for report in reports:
        if report.record.is_active:
            beat = attempt_folder(workspace, report.record).heartbeat()
            rows[report.record.run_id] = row_of(report.record, report.spec, report.curves, beat)
    return Moment(datetime.now(UTC), rows)
