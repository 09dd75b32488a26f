"""Another attempt of a run that has ended."""

from __future__ import annotations

from typing import NamedTuple

from runner.apply import Launched, submit_claimed
from runner.attempts import claimed
from runner.errors import Refused
from runner.launchers.base import Launcher
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.places import check_places
from runner.policy import Take, check_again, expected_again
from runner.registry import FILE
from runner.rules.policy import permitted_secrets
from runner.trust import in_force
from runner.workspace import Workspace


class Retried(NamedTuple):
    """A run that got another attempt."""

    record: RunRecord
    launched: tuple[Launched, ...]


def retry(
    workspace: Workspace, launcher: Launcher, name: str, *, by_owner: bool = False
) -> Retried:
    """Give an ended run another attempt, from its last complete checkpoint where it has one.

    Raises Refused when the run goes on, or has succeeded, when it would be over a ceiling and the
    person is no owner, or when its secrets are not permitted any more.
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
        check_places(workspace)
        take = _permitted(workspace, snapshot, record, by_owner=by_owner)
        attempt = claimed(launcher, last.commit, take, number=last.number + 1, steps=last.steps)
        draft = Draft(snapshot).put_record(record.with_next(attempt))
        return draft.changes(f"Retry {wanted}")

    snapshot = workspace.ledger.transact(step)
    record = snapshot.find(wanted)
    return Retried(record, submit_claimed(workspace, launcher))


def _permitted(
    workspace: Workspace, snapshot: Snapshot, record: RunRecord, *, by_owner: bool
) -> Take:
    """Return what another attempt takes at most; raises Refused where it may not be launched."""
    registry = in_force(workspace.repository, workspace.registry, snapshot)
    spec = experiment_of(snapshot, record.run_id)
    for secret in spec.secrets:
        if secret not in permitted_secrets(registry, record.experiment):
            raise Refused(
                f"{FILE} does not permit the secret `{secret}` for `{record.experiment}` any more",
                cure=f"ask an owner to add it to `secrets` of {FILE}",
            )
    take = expected_again(spec, record.latest)
    if not by_owner:
        check_again(snapshot, registry, record.run_id, take)
    return take
