"""Following runs: what the launcher and the run store say becomes states, verdicts and pages.

    ledger + launcher.poll + run store -> observation -> transition (ledger) -> pages, status

Any number of people and jobs may call it, from anywhere, at any time.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.forges.base import Forge
from runner.launchers.base import JobState, Launcher
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.record import Attempt, Outcome, RunRecord, advance, now
from runner.node.task import EXIT_OUTSIDE, Evidence
from runner.report.judge import judge, judge_expectations
from runner.report.publish import experiments_of, outbox_files, published_files
from runner.runfolder import AttemptFolder, Heartbeat, attempt_folder, curves_of
from runner.tasks import job_name
from runner.telling.announce import announce, has_listener
from runner.workspace import Workspace

_AT_THE_GPUS = frozenset({"training", "saving"})
_TRAINING = _AT_THE_GPUS | {"ended"}


class Synced(NamedTuple):
    """What a sync found."""

    changed: tuple[RunRecord, ...]
    """Records whose newest attempt has another state now."""
    active: tuple[str, ...]
    """Ids of runs that go on."""
    untold: tuple[str, ...] = ()
    """Why the forge or the webhook could not be told; the next sync tries again."""


def sync(workspace: Workspace, launcher: Launcher, forge: Forge, *, fetch: bool = True) -> Synced:
    """Bring the ledger up to date with what the active runs do.

    Without `fetch` the ledger's remote is asked only when there is something to write.
    Raises OutsideError when ledger or store do not answer.
    """
    snapshot = workspace.ledger.fetch() if fetch else workspace.ledger.snapshot()
    records = snapshot.records(snapshot.active()).values()
    observed = {r.run_id: observe(workspace, launcher, snapshot, r) for r in records}
    return record(workspace, forge, snapshot, observed)


def record(
    workspace: Workspace,
    forge: Forge,
    snapshot: Snapshot,
    observed: dict[str, Attempt],
    *,
    pages: bool = True,
) -> Synced:
    """Write the attempts that have changed into the ledger, with their pages, and tell of them.

    Without `pages` nothing is asked of the run store.
    """
    known = snapshot.records(observed)
    moved = {
        run_id: attempt
        for run_id, attempt in observed.items()
        if _is_news(known[run_id].latest, attempt)
    }
    written: list[RunRecord] = []

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        written.clear()
        for run_id, attempt in moved.items():
            current = newest.record(run_id)
            # Decided from what was seen: somebody else may have been faster.
            if current and current.latest == known[run_id].latest:
                written.append(current.with_latest(attempt))
                draft.put_record(written[-1])
        publish = published_files if pages else outbox_files
        for path, content in publish(workspace, newest, written).items():
            draft.put(path, content)
        told = ", ".join(f"{r.run_id} {r.latest.outcome or r.latest.state}" for r in written)
        return draft.changes(f"Run {told}")

    if moved:
        snapshot = workspace.ledger.transact(step)
    if not has_listener(workspace):
        return Synced(tuple(written), tuple(snapshot.active()))
    names = experiments_of(snapshot, snapshot.records(observed))
    untold = announce(workspace, forge, snapshot, names)
    return Synced(tuple(written), tuple(snapshot.active()), untold)


def _is_news(before: Attempt, after: Attempt) -> bool:
    """Only transitions are committed, not every step."""
    return (before.state, before.reason) != (after.state, after.reason)


def observe(
    workspace: Workspace, launcher: Launcher, snapshot: Snapshot, run: RunRecord
) -> Attempt:
    """Return the newest attempt of `run` as it is now."""
    attempt = run.latest
    folder = attempt_folder(workspace, run)
    beat = folder.heartbeat()
    result = folder.result()
    if result is not None:
        evidence = folder.evidence()
        if evidence is None or result.exit_code == EXIT_OUTSIDE:
            outcome: Outcome = "cancelled" if result.cancelled else "lost"
            return _end(
                attempt, beat, outcome, result.error, "" if outcome == "cancelled" else _AGAIN
            )
        return _judged(workspace, snapshot, run, evidence, beat)
    state = job_state(launcher, run)
    if state == "ended" and folder.result() is None:  # asked again: it may have ended in between
        return _gone(attempt, folder.heartbeat())
    if state == "ended":
        return observe(workspace, launcher, snapshot, run)
    return _going(attempt, beat)


_AGAIN = "runner retry   once the cause is gone"


def job_state(launcher: Launcher, run: RunRecord) -> JobState:
    """Return the state of a run's job as far as it may be told from here."""
    attempt = run.latest
    if launcher.name != attempt.launcher:
        return "unknown"
    reach = launcher.reach(attempt.endpoint)
    if reach != "here":
        return "ended" if reach == "gone" else "unknown"
    name = job_name(run.run_id, f"a{attempt.number}", attempt.nonce)
    job = attempt.job or launcher.find([name]).get(name)
    return launcher.poll([job])[job].state if job else "unknown"


def is_here(launcher: Launcher, run: RunRecord) -> bool:
    """Whether the newest attempt of `run` is a job of this launcher, within reach."""
    attempt = run.latest
    return launcher.name == attempt.launcher and launcher.reach(attempt.endpoint) == "here"


def _going(attempt: Attempt, beat: Heartbeat | None) -> Attempt:
    """Return the attempt as its heartbeat shows it; states only ever go forward."""
    if beat is None or attempt.state == "claimed":
        return attempt
    seen = {"step": max(beat.step, attempt.step), "steps": beat.steps or attempt.steps}
    if beat.phase in _TRAINING:
        started = attempt.started_at or now()
        return advance(attempt, "running", **seen, started_at=started, reason="")
    if attempt.state == "running":
        return attempt
    return advance(attempt, "waiting", **seen, reason=beat.phase)


def _gone(attempt: Attempt, beat: Heartbeat | None) -> Attempt:
    step = beat.step if beat else attempt.step
    steps = (beat.steps if beat else None) or attempt.steps
    of = f" of {steps}" if steps else ""
    reason = f"its process is gone without a word at step {step}{of}: killed, or the machine was"
    return _end(attempt, beat, "lost", reason, "runner retry   continues from its last checkpoint")


def _end(
    attempt: Attempt, beat: Heartbeat | None, outcome: Outcome, reason: str, cure: str
) -> Attempt:
    # It may have trained between two looks; since when nobody saw, so from its claim on.
    trained = beat is not None and (beat.step > 0 or beat.phase in _AT_THE_GPUS)
    return advance(
        attempt,
        "ended",
        outcome=outcome,
        reason=reason,
        cure=cure,
        started_at=attempt.started_at or (attempt.claimed_at if trained else None),
        ended_at=now(),
        step=max(beat.step if beat else 0, attempt.step),
        steps=(beat.steps if beat else None) or attempt.steps,
    )


def _judged(
    workspace: Workspace,
    snapshot: Snapshot,
    run: RunRecord,
    evidence: Evidence,
    beat: Heartbeat | None,
) -> Attempt:
    """Return the attempt, ended, with the verdict on its evidence."""
    spec, curves = experiment_of(snapshot, run.run_id), curves_of(workspace, run, snapshot)
    ending = judge(spec, evidence, curves)
    attempt = _end(run.latest, beat, ending.outcome, ending.reason, ending.cure)
    checkpoint = f"md5:{evidence.checkpoint_md5}" if evidence.checkpoint_md5 else None
    return attempt.model_copy(
        update={
            "step": evidence.last_step,
            "steps": evidence.steps,
            "metrics": curves.final() or evidence.metrics,
            "judgements": judge_expectations(spec, curves),
            "checkpoint": checkpoint,
            "environment": dict(evidence.environment),
            "started_at": attempt.started_at or attempt.claimed_at,
        }
    )


def end_as_cancelled(
    workspace: Workspace, launcher: Launcher, forge: Forge, run: RunRecord
) -> RunRecord:
    """Write into the ledger that a run, whose job was stopped, is cancelled."""
    snapshot = workspace.ledger.fetch()
    current = snapshot.records([run.run_id])[run.run_id]
    attempt = observe(workspace, launcher, snapshot, current)
    if attempt.state != "ended" or attempt.outcome == "lost":
        folder: AttemptFolder = attempt_folder(workspace, current)
        attempt = _end(current.latest, folder.heartbeat(), "cancelled", "cancelled by hand", "")
    record(workspace, forge, snapshot, {run.run_id: attempt})
    return workspace.ledger.snapshot().records([run.run_id])[run.run_id]
