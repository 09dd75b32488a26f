"""Looking at runs: the table, the log, the page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from runner import screen
from runner.errors import OutsideError
from runner.launchers import LAUNCHERS
from runner.launchers.base import JobStatus
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.planning import newest_snapshot
from runner.report.curves import read_curves
from runner.report.experiment_page import experiment_page, groups_of
from runner.report.headline import headline_metric
from runner.report.markdown import to_markdown
from runner.report.notation import number
from runner.report.outcome import describe, progress
from runner.report.progress import ProgressRow, row_of
from runner.report.publish import judged_records, report_of, reports_of
from runner.report.run_page import run_page
from runner.report.terminal import show_page as print_in_terminal
from runner.runfolder import AttemptFolder, attempt_folder, curves_of
from runner.spec.experiment import Run
from runner.sync import job_state
from runner.workspace import Workspace

FOLLOW_SECONDS = 1.0


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


def listed(workspace: Workspace, snapshot: Snapshot, *, all_runs: bool) -> list[RunRecord]:
    """Return the runs of the present specs, or of all times, by experiment.

    A run that two files share is listed under the name of each, and judged by what each expects.
    """
    found: list[RunRecord] = []
    for entry in snapshot.experiments().values():
        former = [run_id for run_id in entry.history if run_id not in entry.runs]
        records = [
            *(snapshot.records(former).values() if all_runs else ()),
            *judged_records(workspace, snapshot, entry),
        ]
        found.extend(record.model_copy(update={"experiment": entry.name}) for record in records)
    return found


def status_document(workspace: Workspace, *, all_runs: bool) -> dict[str, Any]:
    """Return the JSON of `status --json`."""
    snapshot = newest_snapshot(workspace)
    return {
        "runs": [
            _entry(workspace, record) for record in listed(workspace, snapshot, all_runs=all_runs)
        ]
    }


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
        "cost": attempt.cost_usd,
        "metrics": attempt.metrics,
    }


def print_status(workspace: Workspace, *, all_runs: bool) -> None:
    """Print the runs as a table."""
    snapshot = newest_snapshot(workspace)
    records = listed(workspace, snapshot, all_runs=all_runs)
    if not records:
        screen.say("no runs yet; runner plan shows what apply would launch")
        return
    rows = [_cells(workspace, snapshot, record) for record in records]
    screen.print_table(("EXPERIMENT", "SEED", "RUN", "STEP", "METRIC", "SINCE", "STATE"), rows)


def _cells(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> tuple[str, ...]:
    attempt = record.latest
    row = _row(workspace, snapshot, record) if record.is_active else None
    if row is not None:
        attempt = attempt.model_copy(update={"step": row.step, "steps": row.steps})
    metrics = {row.metric: row.values[-1]} if row and row.values else attempt.metrics
    name = headline_metric(experiment_of(snapshot, record.run_id), metrics)
    since = attempt.ended_at or attempt.started_at or attempt.claimed_at
    return (
        record.experiment,
        str(record.seed),
        record.run_id,
        progress(attempt),
        f"{name} {number(metrics[name])}" if name else "",
        age(since),
        str(describe(attempt)),
    )


def age(moment: str) -> str:
    """Return how long ago a moment of the ledger was: `40 s`, `12 min`, `5 h`, `3 d`."""
    then = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def follow_log(workspace: Workspace, name: str, *, follow: bool) -> Iterator[str]:
    """Yield the trainer's output of a run's newest attempt; with `follow` until it has ended."""
    record = newest_snapshot(workspace).find(name)
    launcher = LAUNCHERS[record.latest.launcher](workspace)
    shown = 0
    while True:
        folder = attempt_folder(workspace, record)
        over = folder.result() is not None or not record.is_active
        ended = over or job_state(launcher, record) == "ended"  # killed: it left no result
        text = folder.log()
        yield text[shown:]
        shown = len(text)
        if ended and not shown and not folder.epochs:
            raise OutsideError(
                f"the log of run {record.run_id} is not in this clone's run store",
                cure=f"runner logs   in the clone that ran it: {record.latest.endpoint}",
            )
        if ended or not follow:
            return
        time.sleep(FOLLOW_SECONDS)


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
