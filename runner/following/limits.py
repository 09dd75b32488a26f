"""What a run may take, looked at from outside: its node stops it, sync does when that is silent.

A node program keeps its own limits (runner.node.budget). `overdue` is for one that should have
stopped long ago: it hangs, or its clock or its machine does. Waiting for machines counts nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from runner.errors import RunnerError
from runner.following.observation import ended, with_stays
from runner.launchers.base import JobStatus, Launcher
from runner.ledger.documents import experiment_of
from runner.ledger.record import Attempt, RunRecord
from runner.ledger.snapshot import Snapshot
from runner.node import restarts
from runner.node.budget import HOUR, priced, rate_at
from runner.node.checkpoints import newest_complete, step_of
from runner.node.task import NodeTask
from runner.report.judge import Ending, over_budget, over_time
from runner.report.outcome import progress
from runner.spec.experiment import Experiment
from runner.storage.runfolder import AttemptFolder, Heartbeat, attempt_folder
from runner.workspace import Workspace

GRACE_SECONDS = 1800.0
"""For which a node may be over a limit: it stops its trainer, and uploads what is to be kept."""
_RESTING = frozenset({"queued", restarts.ENDED, restarts.INTERRUPTED, restarts.FAILED})
"""Phases of a heartbeat after which silence takes no time of machines."""

_LOG = logging.getLogger(__name__)


class Taken(NamedTuple):
    """What an attempt has taken so far."""

    seconds: float
    usd: float | None
    """None where no price is known."""
    usd_per_hour: float
    """Of the place where it is now; 0 where that is not known."""


def taken(folder: AttemptFolder, task: NodeTask, status: JobStatus, at: datetime) -> Taken:
    """Return what an attempt has taken by `at`, with the time since its node was heard last.

    That time counts only while its launcher says that it runs.
    """
    known = priced(folder.stays(), task.rates)
    seconds = sum(stay.seconds for stay in known)
    silent = _silence(folder.heartbeat(), status, at)
    here = next(reversed(folder.whereabouts()), None)
    rate = rate_at(task.rates, here.where, spot=here.spot) if here else None
    if here is None or rate is None or any(stay.usd is None for stay in known):
        return Taken(seconds + silent, None, 0.0)
    hourly = rate * here.nodes
    before = sum(stay.usd or 0.0 for stay in known)
    return Taken(seconds + silent, before + hourly * silent / HOUR, hourly)


def _silence(beat: Heartbeat | None, status: JobStatus, at: datetime) -> float:
    """Return the seconds for which machines have been there without a word of their node.

    Of a start that has not spoken yet, in its setup, since its launcher saw it begin.
    """
    begin = datetime.fromisoformat(status.since) if status.since else None
    if beat is not None:
        heard = datetime.fromisoformat(beat.time)
        has_begun = begin is not None and begin > heard
        begin = heard if beat.phase not in _RESTING else begin if has_begun else None
    if status.state != "running" or begin is None:
        return 0.0
    return max(0.0, (at - begin).total_seconds())


def overdue(
    folder: AttemptFolder, attempt: Attempt, spec: Experiment, status: JobStatus, at: datetime
) -> Ending | None:
    """Return how an attempt ends that is over a limit by more than the grace; None while it is not.

    `status` is its launcher's word. The limits are those that its node was told, in the run store;
    of one that has not begun yet the time limit of `spec`, the run's.
    """
    if status.state != "running" or folder.result() is not None:
        return None
    task, beat = folder.task(), folder.heartbeat()
    if task is None:
        silent = _silence(beat, status, at)
        late = silent > spec.resources.max_duration + GRACE_SECONDS
        return over_time(spec, "by sync, before its node program began", "") if late else None
    now, limits = taken(folder, task, status, at), task.limits
    step = max(attempt.step, beat.step if beat else 0)
    steps = attempt.steps or (beat.steps if beat else None)
    reached = progress(attempt.model_copy(update={"step": step, "steps": steps}))
    told = f"at step {reached} by sync, as its node did not"
    if limits.usd is not None and now.usd is not None:
        excess = now.usd - limits.usd
        if excess > now.usd_per_hour * GRACE_SECONDS / HOUR:
            return over_budget(task.spec, told, _again(folder))
    if now.seconds > limits.seconds + GRACE_SECONDS:
        return over_time(task.spec, told, _again(folder))
    return None


def _is_ahead(folder: AttemptFolder, at: datetime) -> bool:
    """Whether the node has spoken at a moment that is yet to come."""
    beat = folder.heartbeat()
    return beat is not None and datetime.fromisoformat(beat.time) > at


def _again(folder: AttemptFolder) -> str:
    """Return from where another attempt goes on."""
    newest = newest_complete(folder.store)
    if newest is None:
        return "starts anew: no checkpoint was kept"
    return f"goes on from the checkpoint of step {step_of(newest):,}"


def stop_overdue(
    workspace: Workspace,
    launcher: Launcher,
    snapshot: Snapshot,
    records: Mapping[str, RunRecord],
    observed: Mapping[str, Attempt],
    statuses: Mapping[str, JobStatus],
) -> dict[str, Attempt]:
    """Cancel the jobs that are over a limit, and return their attempts, ended; the rest is left.

    One that cannot be cancelled now is left to the next sync.
    """
    found: dict[str, Attempt] = {}
    at = datetime.now(UTC)
    for run_id, attempt in observed.items():
        age = (at - datetime.fromisoformat(attempt.claimed_at)).total_seconds()
        is_running = attempt.state != "ended" and statuses[run_id].state == "running"
        if not is_running or not attempt.job or age < GRACE_SECONDS:
            continue
        spec = experiment_of(snapshot, run_id)
        if spec.budget is None and age < spec.resources.max_duration + GRACE_SECONDS:
            continue  # whatever the run store says
        folder = attempt_folder(workspace, records[run_id])
        ending = overdue(folder, attempt, spec, statuses[run_id], at)
        if ending or _is_ahead(folder, at):
            # Our clock and the node's may be hours apart: no run is stopped by that.
            ending = overdue(folder, attempt, spec, statuses[run_id], folder.node_time())
        if ending is None:
            continue
        try:
            restarts.mark_cancelled(folder.store, folder.attempt)
            launcher.cancel(attempt.job)
        except RunnerError as error:
            _LOG.warning("run %s is over a limit and goes on: %s", run_id, error.message)
            continue
        over = ended(attempt, folder.heartbeat(), ending.outcome, ending.reason, ending.cure)
        found[run_id] = with_stays(over, folder)
    return found
