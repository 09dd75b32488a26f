"""Another attempt of a run that has ended."""

from __future__ import annotations

from typing import NamedTuple

from runner.apply import Launched, first_attempt, submit_claimed
from runner.errors import Refused
from runner.launchers.base import Launcher
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.record import RunRecord
from runner.workspace import Workspace


class Retried(NamedTuple):
    """A run that got another attempt."""

    record: RunRecord
    launched: tuple[Launched, ...]


def retry(workspace: Workspace, launcher: Launcher, name: str) -> Retried:
    """Give an ended run another attempt, from its last complete checkpoint where it has one.

    Raises Refused when the run goes on, or has succeeded.
    """
    wanted = workspace.ledger.fetch().find(name).run_id

    def step(snapshot: Snapshot) -> Changes:
        record = snapshot.find(wanted)
        last = record.latest
        if last.state != "ended":
            raise Refused(
                f"run {wanted} is {last.state}", cure=f"runner cancel {wanted}   stops it"
            )
        if last.outcome == "succeeded":
            raise Refused(
                f"run {wanted} has succeeded", cure=f"runner reproduce {wanted}   runs it again"
            )
        attempt = first_attempt(launcher, last.commit, number=last.number + 1, steps=last.steps)
        draft = Draft(snapshot).put_record(record.with_next(attempt))
        return draft.changes(f"Retry {wanted}")

    snapshot = workspace.ledger.transact(step)
    record = snapshot.find(wanted)
    return Retried(record, submit_claimed(workspace, launcher))
