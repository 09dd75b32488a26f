"""How runs fare at this moment, from the ledger and their nodes' last signs of life."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.following.observation import AT_THE_GPUS
from runner.launchers.base import JobStatus
from runner.launching.candidates import coming
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.ledger.snapshot import Snapshot
from runner.report.curves import read_curves
from runner.report.headline import headline_metric
from runner.report.progress import ProgressRow, row_of
from runner.spec.experiment import Run
from runner.storage.runfolder import AttemptFolder, attempt_folder, curves_of
from runner.workspace import Workspace


def progress_rows(workspace: Workspace, records: Iterable[RunRecord]) -> list[ProgressRow]:
    """Return how each run fares now."""
    snapshot = workspace.ledger.snapshot()
    return [progress_row(workspace, snapshot, record) for record in records]


def progress_row(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> ProgressRow:
    """Return how a run fares now."""
    beat = attempt_folder(workspace, record).heartbeat()
    curves = curves_of(workspace, record, snapshot)
    return row_of(record, experiment_of(snapshot, record.run_id), curves, beat)


class Seen(NamedTuple):
    """A run that goes on, as its node has told of it."""

    record: RunRecord
    metrics: Mapping[str, float]
    """The last value of the metric that heads it, else what the ledger has."""
    following: str
    """What comes next for one that waits; empty for any other."""


def seen(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> Seen:
    """Return how a run that goes on stands by now, more than the ledger knows."""
    row = progress_row(workspace, snapshot, record)
    told = {"step": row.step, "steps": row.steps, "cost_usd": row.usd}
    after = record.with_latest(record.latest.model_copy(update=told))
    metrics = {row.metric: row.values[-1]} if row.values else after.latest.metrics
    return Seen(after, metrics, coming(experiment_of(snapshot, record.run_id), record))


def job_row(part: AttemptFolder, title: str, run: Run, status: JobStatus) -> ProgressRow:
    """Return how a job outside the ledger's states fares."""
    ended = status.state == "ended"
    curves, beat = read_curves(part.metrics_lines()), part.heartbeat()
    trains = bool(curves) or (beat is not None and beat.phase in AT_THE_GPUS)
    metric = headline_metric(run.spec, curves.canonical) or ""
    times = curves.get("time/step")
    return ProgressRow(
        experiment=title,
        run_id="",
        seed=run.seed,
        state="ended" if ended else ("running" if trains else "waiting"),
        reason="" if trains or ended else (beat.phase if beat else status.detail or "submitted"),
        step=beat.step if beat else 0,
        steps=beat.steps if beat else None,
        metric=metric,
        values=curves.canonical[metric].values if metric else (),
        elapsed=beat.seconds if beat else 0.0,
        step_seconds=times.values if times else (),
    )
