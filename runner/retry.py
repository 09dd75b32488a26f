"""Another attempt of a run that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runner.errors import Refused, RunnerError
from runner.launchers.base import Launcher
from runner.launching.claims import claimed
from runner.launching.places import check_places
from runner.launching.submission import Launched, submit_claimed
from runner.launching.tasks import check_train_python
from runner.ledger.branch import Snapshot
from runner.ledger.costs import budget_left
from runner.ledger.documents import experiment_of, run_documents
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import RunRecord
from runner.planning.recorded import resolve_at
from runner.policy.ceilings import Take, check_again, expected_again
from runner.policy.trust import in_force
from runner.report.notation import usd
from runner.root import FILE
from runner.rules.policy import permitted_secrets
from runner.spec.experiment import Experiment
from runner.sync import is_here
from runner.workspace import Workspace


class Retried(NamedTuple):
    """A run that got another attempt."""

    record: RunRecord
    launched: tuple[Launched, ...]


def retry(
    workspace: Workspace, launcher: Launcher, name: str, *, by_owner: bool = False
) -> Retried:
    """Give an ended run another attempt, from its last complete checkpoint where it has one.

    One that is claimed from here already is submitted, if it is time: whoever claimed it may have
    been interrupted.
    Where the commit that was applied last still asks for this very run, its spec counts: budget,
    time limit and places are no part of what a run is. Else the spec of the attempt before.
    Raises Refused when the run goes on, or has succeeded, when it would be over its budget, or over
    a ceiling and the person is no owner, or when its secrets are not permitted any more.
    """
    wanted = workspace.ledger.fetch().find(name).run_id

    def step(snapshot: Snapshot) -> Changes:
        record = snapshot.find(wanted)
        last = record.latest
        if last.state == "claimed" and is_here(launcher, record):
            return Changes({})
        if last.state != "ended":
            raise Refused(
                f"run {wanted} is {last.state}", cure=f"runner cancel {wanted}   stops it"
            )
        if last.outcome == "succeeded":
            raise Refused(
                f"run {wanted} has succeeded", cure=f"runner reproduce {wanted}   runs it again"
            )
        check_places(workspace, launcher)
        source = _newest(workspace, snapshot, record)
        if not launcher.is_remote:
            check_train_python(workspace, source.spec)
        take = _permitted(workspace, snapshot, record, source.spec, by_owner=by_owner)
        number = last.number + 1
        attempt = claimed(launcher, source.commit, take, number=number, steps=last.steps)
        draft = Draft(snapshot).put_record(record.with_next(attempt))
        for path, content in source.documents.items():
            draft.put(path, content)
        return draft.changes(f"Retry {wanted}")

    snapshot = workspace.ledger.transact(step)
    record = snapshot.find(wanted)
    return Retried(record, submit_claimed(workspace, launcher))


class _Source(NamedTuple):
    """What another attempt is made of."""

    commit: str
    spec: Experiment
    documents: Mapping[str, bytes]
    """What stands beside the run's record, where the spec is a newer one."""


def _newest(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> _Source:
    """Return the newest spec of this very run: of the commit applied last, else as it was."""
    applied, last = snapshot.applied(), record.latest
    if applied and applied != last.commit:
        try:
            run = resolve_at(workspace, applied, record)
        except RunnerError:
            pass  # its file is gone, or means another run now
        else:
            documents = run_documents(record.run_id, run.run.spec, run.identity.payload)
            return _Source(applied, run.run.spec, documents)
    return _Source(last.commit, experiment_of(snapshot, record.run_id), {})


def _permitted(
    workspace: Workspace,
    snapshot: Snapshot,
    record: RunRecord,
    spec: Experiment,
    *,
    by_owner: bool,
) -> Take:
    """Return what another attempt takes at most; raises Refused where it may not be launched."""
    registry = in_force(workspace.repository, workspace.registry, snapshot)
    if spec.budget is not None and not budget_left(spec, record):
        raise Refused(
            f"run {record.run_id} has cost its budget of {usd(spec.budget.usd_per_run)}",
            cure="raise `budget.usd_per_run` in its spec, have that merged and applied, then "
            f"runner retry {record.run_id}",
        )
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
