"""Submitting what is claimed: each claim once, whoever is interrupted in between.

    claims of this endpoint -> lookup by name -> submit those that are due -> job ids (ledger)

Names are not unique to a launcher, and what was submitted may not be visible yet. So a claim is
submitted only by the process that made it and has not tried before; or when its submission is known
to have failed, which the claim then says; or when it is older than `Launcher.unseen`, or as far in
the future: then somebody's clock is wrong. Should there be two jobs all the same, the lease in the
run store lets one of them train.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from runner.errors import OutsideError, RunnerError, Unclear
from runner.following.observation import name_of
from runner.launchers.base import Launcher
from runner.launching.nonces import is_untried, note_tried
from runner.launching.tasks import Ground, Launch, ground, node_task, recorded_launch
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft, told_of
from runner.ledger.record import Attempt, RunRecord, advance, now
from runner.node.checkpoints import newest_complete
from runner.node.task import NodeTask
from runner.parallel import in_background, in_parallel
from runner.planning.recorded import Commits
from runner.policy.secrecy import redactor
from runner.spec.resolve import ResolvedRun
from runner.stopping.cancel import stop_formers, submitting
from runner.storage.runfolder import open_run_store
from runner.sync import is_here
from runner.workspace import Workspace

WORKERS = 16
"""Submissions at once; a server takes about as many in."""
PREPARING = 4
"""Tasks laid out at once; most of it is git's work."""
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
        why_not = {record.run_id: _later(launcher, record) for record in mine}
        looking = in_background(lambda: _find(launcher, mine))
        ready = _prepare(workspace, snapshot, [r for r in mine if not why_not[r.run_id]])
        try:
            jobs = looking.result()
        except RunnerError as error:
            return _nobody_asked(workspace, launcher, mine, error.message)
        found = [_Sent(r, jobs[r.run_id], None) for r in mine if r.run_id in jobs]
        due = [one for one in ready if one.record.run_id not in jobs]
        sent = _send(workspace, launcher, _take_up(workspace, launcher, due))
        _record(workspace, launcher, [*found, *sent])
        left = [r for r in mine if why_not[r.run_id] and r.run_id not in jobs]
        for record in left:  # what has ended on the ledger must not train until these are due
            with contextlib.suppress(RunnerError):
                stop_formers(workspace, launcher, record)
    later = [Launched(r.run_id, r.latest.number, None, None, why_not[r.run_id]) for r in left]
    return (*map(_launched, [*found, *sent]), *later)


def _find(launcher: Launcher, mine: Sequence[RunRecord]) -> dict[str, str]:
    """Return the jobs that there are of claims, by run."""
    names = {name_of(record): record.run_id for record in mine}
    found = launcher.find(list(names)) if names else {}
    return {names[name]: job for name, job in found.items()}


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
    # One from the future would be left for as long as a clock was ahead.
    if certain or abs(datetime.now(UTC) - since) >= until - since:
        return ""
    return (
        f"claimed at {since:%H:%M} UTC and perhaps being submitted by another runner; an apply "
        f"after {until:%H:%M} UTC submits it if there is no job by then"
    )


def _take_up(workspace: Workspace, launcher: Launcher, due: Sequence[_Prepared]) -> list[_Prepared]:
    """Return `due`, with those claims made young again on the ledger that others have tried.

    Whoever is interrupted during the next try then leaves a claim that is not tried again at once.
    Left out is what somebody else was faster with.
    """
    records = {one.record.run_id: one.record for one in due}
    tried = {
        run_id: record
        for run_id, record in records.items()
        if launcher.unseen and not is_untried(record.latest.nonce)
    }
    for record in records.values():
        note_tried(record.latest.nonce)
    if not tried:
        return list(due)
    renewed = {"claimed_at": now(), "reason": ""}
    taken: set[str] = set()

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        taken.clear()
        for run_id, current in newest.records(tried).items():
            if current.latest == tried[run_id].latest:
                attempt = current.latest.model_copy(update=renewed)
                draft.put_record(current.with_latest(attempt))
                taken.add(run_id)
        return draft.changes(f"Take up {', '.join(taken)}")

    workspace.ledger.transact(step)
    return [one for one in due if one.record.run_id in taken or one.record.run_id not in tried]


def _send(workspace: Workspace, launcher: Launcher, due: Sequence[_Prepared]) -> list[_Sent]:
    """Submit `due` in parallel; a local launcher's jobs one by one, as they queue in that order."""

    def submit(one: _Prepared) -> _Sent:
        if one.task is None:
            return _Sent(one.record, None, one.error)
        try:
            stop_formers(workspace, launcher, one.record)
            return _Sent(one.record, launcher.submit(one.task), None)
        except RunnerError as error:
            return _Sent(one.record, None, error)

    futures = in_parallel(submit, due, WORKERS if launcher.is_remote else 1)
    done = [future.result() for future in futures if not future.exception()]
    if len(done) < len(futures):  # a fault of ours: what was submitted is recorded all the same
        _record(workspace, launcher, done)
        raise next(error for future in futures if (error := future.exception()))
    return done


def _prepare(
    workspace: Workspace, snapshot: Snapshot, records: Sequence[RunRecord]
) -> list[_Prepared]:
    """Return the tasks of claims, with their files laid out."""
    names = {record.experiment for record in records}
    commits, lock = Commits(workspace, names), threading.Lock()

    @functools.cache
    def start() -> Ground:
        found = ground(workspace)
        found.snapshot.records(record.run_id for record in records)  # read by one process
        return found

    def prepare(record: RunRecord) -> _Prepared:
        attempt = record.latest
        try:
            with lock:
                resolved = commits.run(attempt.commit, record)
                launch = _launch(workspace, snapshot, record, resolved, start())
            tree = commits.tree(attempt.commit)
            return _Prepared(record, node_task(workspace, resolved, tree, launch), None)
        except RunnerError as error:
            return _Prepared(record, None, error)

    return [future.result() for future in in_parallel(prepare, records, PREPARING)]


def _launch(
    workspace: Workspace,
    snapshot: Snapshot,
    record: RunRecord,
    resolved: ResolvedRun,
    start: Ground,
) -> Launch:
    attempt = record.latest
    upstream_id = resolved.inputs.upstream
    label = f"a{attempt.number}"
    return recorded_launch(workspace, resolved, label, attempt.nonce, start)._replace(
        upstream=snapshot.record(upstream_id) if upstream_id else None,
        resume=_resumable(workspace, record),
        candidates=attempt.candidates,
    )


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

    run_ids = [one.record.run_id for one in sent]

    def step(newest: Snapshot) -> Changes:
        draft, known = Draft(newest), newest.records(run_ids)
        for one in sent:
            current = known.get(one.record.run_id)
            if current and _is_same(current, one) and current.latest.state == "claimed":
                draft.put_record(current.with_latest(after(one, current.latest)))
        ids = told_of(one.record.run_id for one in sent if one.job)
        return draft.changes(f"Submitted {ids}" if ids else "Not submitted")

    if not sent:
        return
    known = workspace.ledger.transact(step).records(run_ids)
    for one in sent:
        current = known.get(one.record.run_id)
        if one.job and not (current and _is_same(current, one) and current.latest.job == one.job):
            launcher.cancel(one.job)


def _is_same(record: RunRecord, sent: _Sent) -> bool:
    return record.latest.nonce == sent.record.latest.nonce
