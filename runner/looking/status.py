"""The table of runs, and the same as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runner import screen
from runner.ledger.record import RunRecord
from runner.looking.listing import Lately, Listed, everything, going_runs, lately, standings
from runner.planning.asked import newest_snapshot
from runner.report.notation import number
from runner.report.outcome import describe, progress
from runner.report.reports import candidates_of, judged
from runner.storage.runfolder import attempt_folder
from runner.workspace import Workspace

WATCH_SECONDS = 5.0
"""Between looks of `status --watch`."""

_HEADER = ("EXPERIMENT", "SEED", "RUN", "STEP", "METRIC", "SINCE", "COST", "STATE")
_COST = _HEADER.index("COST")


def print_document(workspace: Workspace, *, all_runs: bool) -> None:
    """Print the JSON of `status --json`."""
    runs = everything(newest_snapshot(workspace), all_runs=all_runs)
    screen.print_json_list("runs", (_entry(workspace, run.record) for run in runs))


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


class _Table(NamedTuple):
    """What is printed."""

    rows: tuple[tuple[str, ...], ...]
    more: str
    """What is not shown, in a line; empty where everything is."""
    is_going: bool
    """Whether a run goes on, shown or not."""


def print_status(workspace: Workspace, *, all_runs: bool) -> None:
    """Print the runs as a table: what goes on and what ended last, or all of them."""
    table = _table(workspace, all_runs=all_runs)
    if not table.rows:
        screen.say("no runs yet; runner plan shows what apply would launch")
        return
    _print(table)


def watch_status(workspace: Workspace, *, all_runs: bool) -> None:
    """Print the runs anew whenever something has changed, until none goes on.

    It only looks: states move when somebody syncs.
    """
    shown: _Table | None = None
    while True:
        table = _table(workspace, all_runs=all_runs)
        if table != shown:
            screen.clear()
            _print(table)
        shown = table
        if not table.is_going:
            return
        time.sleep(WATCH_SECONDS)


def _print(table: _Table) -> None:
    screen.print_table(*_with_costs(table.rows))
    if table.more:
        screen.print_result(table.more)


def _table(workspace: Workspace, *, all_runs: bool) -> _Table:
    snapshot = newest_snapshot(workspace)
    if not all_runs:
        found = lately(snapshot)
        rows = tuple(_cells(workspace, run) for run in found.runs)
        return _Table(rows, _more(found), found.going > 0)
    rows = tuple(_cells(workspace, run) for run in everything(snapshot, all_runs=True))
    return _Table(rows, "", bool(going_runs(standings(snapshot))))


def _more(found: Lately) -> str:
    if not found.more:
        return ""
    going = f", {found.more_going:,} of them going on" if found.more_going else ""
    return f"… and {found.more:,} more{going}: runner status --all"


def _with_costs(
    rows: tuple[tuple[str, ...], ...],
) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
    """Return header and rows, without the costs where none is known."""
    if any(row[_COST] for row in rows):
        return _HEADER, rows
    return _less(_HEADER), map(_less, rows)


def _less(row: tuple[str, ...]) -> tuple[str, ...]:
    return (*row[:_COST], *row[_COST + 1 :])


def _cost(record: RunRecord) -> str:
    """Return what all attempts have cost so far; empty where nobody knows."""
    known = [one.cost_usd for one in record.attempts if one.cost_usd is not None]
    return f"${sum(known):,.2f}" if known else ""


def _cells(workspace: Workspace, run: Listed) -> tuple[str, ...]:
    record, entry, snapshot = run
    record = judged(workspace, snapshot, entry, record) if entry else record
    metrics: Mapping[str, float] = record.latest.metrics
    following = ""
    if record.is_active:
        # It loads the launchers and what draws live tables: only where something goes on.
        from runner.looking.progress import seen

        record, metrics, following = seen(workspace, snapshot, record)
    attempt = record.latest
    heads = candidates_of(snapshot, entry, record, metrics)
    name = next((one for one in heads if one in metrics), None)
    since = attempt.ended_at or attempt.waiting_since or attempt.started_at or attempt.claimed_at
    return (
        record.experiment,
        str(record.seed),
        record.run_id,
        progress(attempt),
        f"{name} {number(metrics[name])}" if name else "",
        age(since),
        _cost(record),
        f"{describe(attempt)}{f'; next {following}' if following else ''}",
    )


def age(moment: str) -> str:
    """Return how long ago a moment of the ledger was: `40 s`, `12 min`, `5 h`, `3 d`."""
    then = datetime.fromisoformat(moment)
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
