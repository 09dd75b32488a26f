"""Looking at runs: the table, the page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runner import screen
from runner.launchers.base import JobStatus
from runner.launching.candidates import coming
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of, resolved_spec
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import RunRecord
from runner.planning.asked import newest_snapshot
from runner.report.curves import read_curves
from runner.report.experiment_page import experiment_page, groups_of
from runner.report.headline import headline_metric, recorded_headline
from runner.report.markdown import to_markdown
from runner.report.notation import number
from runner.report.outcome import describe, progress
from runner.report.progress import ProgressRow, row_of
from runner.report.publish import in_portions, judged_records, report_of, reports_of
from runner.report.run_page import run_page
from runner.report.terminal import show_page as print_in_terminal
from runner.spec.experiment import Run
from runner.storage.runfolder import AttemptFolder, attempt_folder, curves_of
from runner.workspace import Workspace

WATCH_SECONDS = 5.0
"""Between looks of `status --watch`."""


def progress_rows(workspace: Workspace, records: Iterable[RunRecord]) -> list[ProgressRow]:
    """Return how each run fares now, from the ledger and its last heartbeat."""
    snapshot = workspace.ledger.snapshot()
    return [_row(workspace, snapshot, record) for record in records]


def _row(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> ProgressRow:
    beat = attempt_folder(workspace, record).heartbeat()
    curves = curves_of(workspace, record, snapshot)
    return row_of(record, experiment_of(snapshot, record.run_id), curves, beat)


def job_row(part: AttemptFolder, title: str, run: Run, status: JobStatus) -> ProgressRow:
    """Return how a job outside the ledger's states fares."""
    ended = status.state == "ended"
    curves, beat = read_curves(part.metrics_lines()), part.heartbeat()
    metric = headline_metric(run.spec, curves.canonical) or ""
    times = curves.get("time/step")
    return ProgressRow(
        experiment=title,
        run_id="",
        seed=run.seed,
        state="ended" if ended else ("running" if curves else "waiting"),
        reason="" if curves or ended else (beat.phase if beat else status.detail or "submitted"),
        step=beat.step if beat else 0,
        steps=beat.steps if beat else None,
        metric=metric,
        values=curves.canonical[metric].values if metric else (),
        elapsed=beat.seconds if beat else 0.0,
        step_seconds=times.values if times else (),
    )


class Listed(NamedTuple):
    """A run, and the part of the ledger that was read for it."""

    record: RunRecord
    snapshot: Snapshot


def listed(workspace: Workspace, snapshot: Snapshot, *, all_runs: bool) -> Iterator[Listed]:
    """Yield the runs of the present specs, or of all times, by experiment.

    A run that two files share is listed under the name of each, and judged by what each expects.
    """
    entries = snapshot.experiments().values()
    for part, some in in_portions(snapshot, entries, history=all_runs):
        for entry in some:
            for record in _runs_of(workspace, part, entry, all_runs=all_runs):
                yield Listed(record.model_copy(update={"experiment": entry.name}), part)


def _runs_of(
    workspace: Workspace, snapshot: Snapshot, entry: ExperimentEntry, *, all_runs: bool
) -> tuple[RunRecord, ...]:
    former = [run_id for run_id in entry.history if run_id not in entry.runs]
    return (
        *(snapshot.records(former).values() if all_runs else ()),
        *judged_records(workspace, snapshot, entry),
    )


def status_document(workspace: Workspace, *, all_runs: bool) -> dict[str, Any]:
    """Return the JSON of `status --json`."""
    snapshot = newest_snapshot(workspace)
    runs = listed(workspace, snapshot, all_runs=all_runs)
    return {"runs": [_entry(workspace, run.record) for run in runs]}


def _entry(workspace: Workspace, record: RunRecord) -> dict[str, Any]:
    attempt = record.latest
    beat = attempt_folder(workspace, record).heartbeat() if record.is_active else None
    return {
        "experiment": record.experiment,
        "run_id": record.run_id,
        "attempt": attempt.number,
        "state": attempt.state,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "launcher": attempt.launcher,
        "job": attempt.job,
        "step": max(attempt.step, beat.step if beat else 0),
        "steps": attempt.steps,
        "commit": attempt.commit,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "where": attempt.where,
        "waiting_since": attempt.waiting_since,
        "recoveries": attempt.recoveries,
        "lost_steps": attempt.lost_steps,
        "wandb": attempt.wandb,
        "cost": beat.usd if beat else attempt.cost_usd,
        "metrics": attempt.metrics,
    }


def print_status(workspace: Workspace, *, all_runs: bool) -> None:
    """Print the runs as a table."""
    rows, _ = _table(workspace, all_runs=all_runs)
    if not rows:
        screen.say("no runs yet; runner plan shows what apply would launch")
        return
    screen.print_table(*_with_costs(rows))


def watch_status(workspace: Workspace, *, all_runs: bool) -> None:
    """Print the runs anew whenever something has changed, until none goes on.

    It only looks: states move when somebody syncs.
    """
    shown: list[tuple[str, ...]] | None = None
    while True:
        rows, active = _table(workspace, all_runs=all_runs)
        if rows != shown:
            screen.clear()
            screen.print_table(*_with_costs(rows))
        shown = rows
        if not active:
            return
        time.sleep(WATCH_SECONDS)


def _table(workspace: Workspace, *, all_runs: bool) -> tuple[list[tuple[str, ...]], bool]:
    """Return the cells of all listed runs, and whether one of them goes on."""
    snapshot = newest_snapshot(workspace)
    rows, active = [], False
    for record, part in listed(workspace, snapshot, all_runs=all_runs):
        rows.append(_cells(workspace, part, record))
        active = active or record.is_active
    return rows, active


_HEADER = ("EXPERIMENT", "SEED", "RUN", "STEP", "METRIC", "SINCE", "COST", "STATE")
_COST = _HEADER.index("COST")


def _with_costs(rows: list[tuple[str, ...]]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows, without the costs where none is known."""
    if any(row[_COST] for row in rows):
        return _HEADER, rows
    return _less(_HEADER), [_less(row) for row in rows]


def _less(row: tuple[str, ...]) -> tuple[str, ...]:
    return (*row[:_COST], *row[_COST + 1 :])


def _cost(record: RunRecord) -> str:
    """Return what all attempts have cost so far; empty where nobody knows."""
    known = [one.cost_usd for one in record.attempts if one.cost_usd is not None]
    return f"${sum(known):,.2f}" if known else ""


def _state(snapshot: Snapshot, record: RunRecord) -> str:
    """Return the state, of a waiting run with what comes next."""
    following = coming(experiment_of(snapshot, record.run_id), record) if record.is_active else ""
    return f"{describe(record.latest)}{f'; next {following}' if following else ''}"


def _cells(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> tuple[str, ...]:
    attempt = record.latest
    row = _row(workspace, snapshot, record) if record.is_active else None
    if row is not None:
        seen = {"step": row.step, "steps": row.steps, "cost_usd": row.usd}
        attempt = attempt.model_copy(update=seen)
    metrics = {row.metric: row.values[-1]} if row and row.values else attempt.metrics
    name = recorded_headline(resolved_spec(snapshot, record.run_id), metrics)
    since = attempt.ended_at or attempt.waiting_since or attempt.started_at or attempt.claimed_at
    return (
        record.experiment,
        str(record.seed),
        record.run_id,
        progress(attempt),
        f"{name} {number(metrics[name])}" if name else "",
        age(since),
        _cost(record.with_latest(attempt)),
        _state(snapshot, record.with_latest(attempt)),
    )


def age(moment: str) -> str:
    """Return how long ago a moment of the ledger was: `40 s`, `12 min`, `5 h`, `3 d`."""
    then = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def show_page(workspace: Workspace, name: str, *, markdown: bool) -> None:
    """Print the page of an experiment, or of one run."""
    snapshot = newest_snapshot(workspace)
    entry = snapshot.experiment(name)
    if entry is None:
        page = run_page(report_of(workspace, snapshot, snapshot.find(name)))
    else:
        reports = reports_of(workspace, snapshot, entry)
        former = [run_id for run_id in entry.history if run_id not in entry.runs]
        history = list(snapshot.records(former).values())
        page = experiment_page(name, groups_of(reports), history)
    if markdown:
        screen.print_result(to_markdown(page))
    else:
        print_in_terminal(page)
