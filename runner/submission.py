"""Submitting what is claimed: each claim once, whoever is interrupted in between.

    claims of this endpoint -> lookup by name -> submit those that are due -> job ids (ledger)

Names are not unique to a launcher, and what was submitted may not be visible yet. So a claim is
submitted only by the process that made it and has not tried before; or when its submission is known
to have failed, which the claim then says; or when it is older than `Launcher.unseen`. Should there
be two jobs all the same, the lease in the run store lets one of them train.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from runner.cancel import stop_former, submitting
from runner.errors import OutsideError, RunnerError, Unclear
from runner.git.repository import CommitTree
from runner.launchers.base import Launcher
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.record import Attempt, RunRecord, advance, now
from runner.node.checkpoints import newest_complete
from runner.node.task import NodeTask
from runner.nonces import is_untried, note_tried
from runner.observation import name_of
from runner.parallel import in_parallel
from runner.recorded import Commits
from runner.runfolder import open_run_store
from runner.secrecy import redactor
from runner.sync import is_here
from runner.tasks import node_task, recorded_launch
from runner.workspace import Workspace

WORKERS = 16
"""Submissions at once; a server takes about as many in."""
_FAILED = "not submitted: "
"""What the reason of a claim begins with whose submission is known to have failed."""


class Launched(NamedTuple):
    """What became of one run that apply wanted to launch."""

    run_id: str
    attempt: int
    job: str | None
    error: str | None
    """Why it could not be submitted; the claim stays, and the next apply takes it up."""
    later: str = ""
    """Why it is left to others for now; then there is neither job nor error."""


class _Prepared(NamedTuple):
    record: RunRecord
    task: NodeTask | None
    error: RunnerError | None


class _Sent(NamedTuple):
    record: RunRecord
    job: str | None
    error: RunnerError | None


def submit_claimed(workspace: Workspace, launcher: Launcher) -> tuple[Launched, ...]:
    """Submit every claim of this endpoint that is due, and record the jobs' ids."""
    with submitting(workspace):
        snapshot = workspace.ledger.fetch()  # inside: a claim may have been cancelled meanwhile
        mine = _claims(snapshot, launcher)
        try:
            jobs = launcher.find([name_of(record) for record in mine]) if mine else {}
        except RunnerError as error:
            return _nobody_asked(workspace, launcher, mine, error.message)
        found = [_Sent(r, jobs[name_of(r)], None) for r in mine if name_of(r) in jobs]
        others = [record for record in mine if name_of(record) not in jobs]
        why_not = {record.run_id: _later(launcher, record) for record in others}
        due = _take_up(workspace, launcher, [r for r in others if not why_not[r.run_id]])
        sent = _send(workspace, launcher, snapshot, due)
        _record(workspace, launcher, [*found, *sent])
    left = [r for r in others if why_not[r.run_id]]
    later = [Launched(r.run_id, r.latest.number, None, None, why_not[r.run_id]) for r in left]
    return (*map(_launched, [*found, *sent]), *later)


def _nobody_asked(
    workspace: Workspace, launcher: Launcher, mine: Sequence[RunRecord], why: str
) -> tuple[Launched, ...]:
    """Leave all claims, as they cannot be looked up; those that were never tried say so."""
    failed = [_Sent(record, None, OutsideError(why)) for record in mine]
    _record(workspace, launcher, [s for s in failed if is_untried(s.record.latest.nonce)])
    return tuple(map(_launched, failed))


def _claims(snapshot: Snapshot, launcher: Launcher) -> list[RunRecord]:
    records = snapshot.records(snapshot.active()).values()
    return [r for r in records if r.latest.state == "claimed" and is_here(launcher, r)]


def _launched(sent: _Sent) -> Launched:
    error = sent.error.message if sent.error else None
    return Launched(sent.record.run_id, sent.record.latest.number, sent.job, error)


def _later(launcher: Launcher, record: RunRecord) -> str:
    """Return why a claim without a job must not be submitted now; empty when it is due."""
    attempt = record.latest
    since = datetime.fromisoformat(attempt.claimed_at)
    until = since + timedelta(seconds=launcher.unseen)
    certain = is_untried(attempt.nonce) or attempt.reason.startswith(_FAILED)
    if certain or datetime.now(UTC) >= until:
        return ""
    return (
        f"claimed at {since:%H:%M} UTC and perhaps being submitted by another runner; an apply "
        f"after {until:%H:%M} UTC submits it if there is no job by then"
    )


def _take_up(workspace: Workspace, launcher: Launcher, due: Sequence[RunRecord]) -> list[RunRecord]:
    """Return `due`, with those claims made young again on the ledger that others have tried.

    Whoever is interrupted during the next try then leaves a claim that is not tried again at once.
    Left out is what somebody else was faster with.
    """
    tried = [r for r in due if launcher.unseen and not is_untried(r.latest.nonce)]
    for record in due:
        note_tried(record.latest.nonce)
    if not tried:
        return list(due)
    renewed = {"claimed_at": now(), "reason": ""}
    taken: dict[str, RunRecord] = {}

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        taken.clear()
        for record in tried:
            current = newest.record(record.run_id)
            if current is not None and current.latest == record.latest:
                attempt = current.latest.model_copy(update=renewed)
                taken[record.run_id] = current.with_latest(attempt)
                draft.put_record(taken[record.run_id])
        return draft.changes(f"Take up {', '.join(taken)}")

    workspace.ledger.transact(step)
    return [r for r in due if r not in tried] + list(taken.values())


def _send(
    workspace: Workspace, launcher: Launcher, snapshot: Snapshot, due: Sequence[RunRecord]
) -> list[_Sent]:
    """Submit `due` in parallel; a local launcher's jobs one by one, as they queue in that order."""

    def submit(one: _Prepared) -> _Sent:
        if one.task is None:
            return _Sent(one.record, None, one.error)
        try:
            stop_former(workspace, launcher, one.record)
            return _Sent(one.record, launcher.submit(one.task), None)
        except RunnerError as error:
            return _Sent(one.record, None, error)

    workers = 1 if launcher.name == "local" else min(WORKERS, len(due))
    futures = in_parallel(submit, _prepared(workspace, snapshot, due), workers)
    done = [future.result() for future in futures if not future.exception()]
    if len(done) < len(futures):  # a fault of ours: what was submitted is recorded all the same
        _record(workspace, launcher, done)
        raise next(error for future in futures if (error := future.exception()))
    return done


def _prepared(
    workspace: Workspace, snapshot: Snapshot, due: Sequence[RunRecord]
) -> Iterator[_Prepared]:
    """Yield the tasks of claims, with their files laid out."""
    commits = Commits(workspace)
    for record in due:
        try:
            yield _Prepared(record, _task(workspace, snapshot, record, commits), None)
        except RunnerError as error:
            yield _Prepared(record, None, error)


def _task(
    workspace: Workspace, snapshot: Snapshot, record: RunRecord, commits: Commits
) -> NodeTask:
    attempt = record.latest
    resolved = commits.run(attempt.commit, record)
    upstream_id = resolved.inputs.upstream
    launch = recorded_launch(workspace, resolved, f"a{attempt.number}", attempt.nonce)._replace(
        upstream=snapshot.record(upstream_id) if upstream_id else None,
        resume=_resumable(workspace, record),
        candidates=attempt.candidates,
    )
    tree = CommitTree(workspace.repository, attempt.commit)
    return node_task(workspace, resolved, tree, launch)


def _resumable(workspace: Workspace, record: RunRecord) -> str | None:
    """Return the newest complete checkpoint of this run's earlier attempts."""
    if record.latest.number == 1:
        return None
    return newest_complete(open_run_store(workspace, record.run_id))


def _record(workspace: Workspace, launcher: Launcher, sent: Sequence[_Sent]) -> None:
    """Write into the ledger which jobs there are and what is known to have failed, in one commit.

    A job that nobody wants any more is stopped.
    """
    shown = redactor(workspace.registry)

    def after(one: _Sent, attempt: Attempt) -> Attempt:
        if one.job:
            return advance(attempt, "submitted", job=one.job, reason="")
        known = launcher.unseen and one.error and not isinstance(one.error, Unclear)
        why = f"{_FAILED}{shown.text(one.error.message)}" if known and one.error else ""
        return attempt.model_copy(update={"reason": why})

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        for one in sent:
            current = newest.record(one.record.run_id)
            if current and _is_same(current, one) and current.latest.state == "claimed":
                draft.put_record(current.with_latest(after(one, current.latest)))
        ids = ", ".join(one.record.run_id for one in sent if one.job)
        return draft.changes(f"Submitted {ids}" if ids else "Not submitted")

    if not sent:
        return
    newest = workspace.ledger.transact(step)
    for one in sent:
        current = newest.record(one.record.run_id)
        if one.job and not (current and _is_same(current, one) and current.latest.job == one.job):
            launcher.cancel(one.job)


def _is_same(record: RunRecord, sent: _Sent) -> bool:
    return record.latest.nonce == sent.record.latest.nonce
