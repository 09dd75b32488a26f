"""Stopping a run that goes on."""

from __future__ import annotations

from runner.errors import OutsideError, Refused
from runner.forges.base import Forge
from runner.launchers.base import Launcher
from runner.ledger.record import RunRecord
from runner.sync import end_as_cancelled, is_here
from runner.tasks import job_name
from runner.workspace import Workspace


def cancel(workspace: Workspace, launcher: Launcher, forge: Forge, name: str) -> RunRecord:
    """Stop a run's job, write it into the ledger and return the record.

    Raises Refused when the run has ended, OutsideError when its job is out of reach from here.
    """
    record = workspace.ledger.fetch().find(name)
    attempt = record.latest
    if attempt.state == "ended":
        raise Refused(f"run {record.run_id} has ended already: {attempt.outcome}")
    if not is_here(launcher, record):
        raise OutsideError(
            f"run {record.run_id} was launched elsewhere: {attempt.endpoint}",
            cure="runner cancel   on the machine that launched it",
        )
    launcher.cancel(attempt.job or job_name(record.run_id, f"a{attempt.number}", attempt.nonce))
    return end_as_cancelled(workspace, launcher, forge, record)
