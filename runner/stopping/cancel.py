"""Stopping a run that goes on."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

from runner.errors import OutsideError, Refused
from runner.following.observation import observe
from runner.forges.base import Forge
from runner.launchers.base import Launcher
from runner.launching.tasks import job_name
from runner.ledger.record import Attempt, RunRecord, advance, now
from runner.node import restarts
from runner.storage.files import exclusive
from runner.storage.runfolder import open_run_store
from runner.sync import end_as_cancelled, is_here, record
from runner.telling.announce import announce
from runner.workspace import Workspace

SUBMIT_SECONDS = 600.0
"""How long to wait for another runner of this clone that is submitting."""


def submitting(workspace: Workspace) -> AbstractContextManager[None]:
    """Be the one runner of this clone that submits or cancels.

    Raises OutsideError when another one is at it for too long.
    """
    return exclusive(workspace.state / "submitting", SUBMIT_SECONDS)


def cancel(workspace: Workspace, launcher: Launcher, forge: Forge, name: str) -> RunRecord:
    """Stop a run's job, write it into the ledger and return the record.

    Raises Refused when the run has ended, OutsideError when its job is out of reach from here.
    """
    with submitting(workspace):
        return _cancel(workspace, launcher, forge, name)


def _cancel(workspace: Workspace, launcher: Launcher, forge: Forge, name: str) -> RunRecord:
    snapshot = workspace.ledger.fetch()
    run = snapshot.find(name)
    attempt = run.latest
    if attempt.state == "ended":
        announce(workspace, forge, snapshot)  # who cancelled it may not have come to it
        raise Refused(f"run {run.run_id} has ended already: {attempt.outcome}")
    if not is_here(launcher, run):
        raise OutsideError(
            f"run {run.run_id} was launched elsewhere: {attempt.endpoint}",
            cure=f"runner cancel {run.run_id}   on the machine that launched it; if that is gone "
            f"for good: runner cancel {run.run_id} --lost",
        )
    _stop(workspace, launcher, run, attempt)
    stop_formers(workspace, launcher, run)
    return end_as_cancelled(workspace, launcher, forge, run)


def stop_formers(workspace: Workspace, launcher: Launcher, run: RunRecord) -> None:
    """Make sure that nothing is left of the attempts before a run's newest.

    They have ended on the ledger: by a move to the next candidate, which whoever made it may not
    have lived to carry out, or by what could be told of them; a lease is of one attempt alone. One
    that is out of reach from here is left. Raises OutsideError when something is left.
    """
    for former in run.attempts[:-1]:
        if former.launcher == launcher.name and launcher.reach(former.endpoint) == "here":
            _stop(workspace, launcher, run, former)


def _stop(workspace: Workspace, launcher: Launcher, run: RunRecord, attempt: Attempt) -> None:
    """Stop the job of an attempt, and one of the same name that is not on record."""
    label = f"a{attempt.number}"
    name = job_name(run.run_id, label, attempt.nonce)
    restarts.mark_cancelled(open_run_store(workspace, run.run_id), label)
    launcher.cancel(attempt.job or name)
    twin = launcher.find([name]).get(name)
    if twin is not None and twin != attempt.job:
        launcher.cancel(twin)


def give_up(workspace: Workspace, forge: Forge, name: str, why: str = "") -> RunRecord:
    """Write into the ledger that a run is lost whose machine is gone for good.

    Only a person can know that, or the job of CI that takes the run with it, which says `why`.
    One whose result is in the run store has ended as that says, and is not trained again.
    Raises Refused when the run has ended.
    """
    snapshot = workspace.ledger.fetch()
    run = snapshot.find(name)
    if run.latest.state == "ended":
        raise Refused(f"run {run.run_id} has ended already: {run.latest.outcome}")
    lost = run.latest
    with contextlib.suppress(OutsideError):
        lost = observe(workspace, snapshot, run)
    if lost.state != "ended":
        reason = why or f"given up by hand: what ran on {run.latest.endpoint} is gone"
        lost = advance(run.latest, "ended", outcome="lost", reason=reason, ended_at=now())
    try:
        record(workspace, forge, snapshot, {run.run_id: lost})
    except OutsideError:  # the run store may be what is gone; its pages come with the next change
        record(workspace, forge, workspace.ledger.fetch(), {run.run_id: lost}, pages=False)
    return workspace.ledger.snapshot().records([run.run_id])[run.run_id]
