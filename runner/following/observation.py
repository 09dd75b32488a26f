"""What the launcher and the run store say of a run's newest attempt, as a state of the ledger.

The node's own word counts most: its result ends the attempt, since one that is to be started again
leaves none. Whether and where a job waits, and an end that no node could tell of, only the launcher
knows. Where it cannot be asked, or does not answer, the store alone is believed, and nothing that
it does not say changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from runner.errors import OutsideError
from runner.launchers.base import JobStatus, Launcher
from runner.launching.candidates import machines, open_places
from runner.launching.tasks import job_name
from runner.ledger.branch import Snapshot
from runner.ledger.costs import costed
from runner.ledger.documents import experiment_of
from runner.ledger.record import Attempt, Outcome, RunRecord, advance, now, written
from runner.node import restarts
from runner.node.channel import HEARTBEAT, RESULT
from runner.node.task import EXIT_OUTSIDE, Evidence
from runner.report.judge import judge, judge_expectations
from runner.spec.experiment import Experiment
from runner.storage.runfolder import AttemptFolder, Heartbeat, attempt_folder, curves_of
from runner.workspace import Workspace

UNKNOWN = JobStatus("unknown")
_AGAIN = "runner retry   once the cause is gone"
_SEE_LOG = "runner logs   shows what the launcher printed; runner retry   once the cause is gone"
_FROM_CHECKPOINT = "runner retry   continues from its last checkpoint"
AT_THE_GPUS = frozenset({"training", "saving"})
"""What a node says that it does while its trainer runs, also before the first step."""
_TRAINING = AT_THE_GPUS | {restarts.ENDED}


def adopt_claims(launcher: Launcher, records: Mapping[str, RunRecord]) -> dict[str, RunRecord]:
    """Return `records`, with the jobs of claims whose submission was carried out and not recorded.

    Whoever submitted them has not come to it, or never will. While it cannot be told which there
    are, all stay as they are.
    """
    claims = {
        i: record
        for i, record in records.items()
        if record.latest.state == "claimed" and _is_reached(launcher, record)
    }
    names = {i: name_of(record) for i, record in claims.items()}
    try:
        found = launcher.find(list(names.values()), wait=False) if names else {}
    except OutsideError:
        found = {}
    return dict(records) | {
        i: record.with_latest(advance(record.latest, "submitted", job=found[names[i]], reason=""))
        for i, record in claims.items()
        if names[i] in found
    }


def ask(launcher: Launcher, records: Iterable[RunRecord]) -> dict[str, JobStatus]:
    """Return how the jobs of the newest attempts fare, by run id; one request for all of them.

    UNKNOWN for what this launcher cannot be asked of, and for what has no job on record.
    """
    known = {record.run_id: record for record in records}
    found = dict.fromkeys(known, UNKNOWN)
    mine = [record for record in known.values() if record.latest.launcher == launcher.name]
    reach = {record.run_id: launcher.reach(record.latest.endpoint) for record in mine}
    found |= {run_id: JobStatus("ended") for run_id, how in reach.items() if how == "gone"}
    here = [record for record in mine if reach[record.run_id] == "here"]
    jobs = {record.run_id: record.latest.job for record in here if record.latest.job}
    statuses = launcher.poll(list(jobs.values())) if jobs else {}
    return found | {run_id: statuses.get(job, UNKNOWN) for run_id, job in jobs.items()}


def adopt_twins(
    launcher: Launcher, records: Mapping[str, RunRecord], statuses: Mapping[str, JobStatus]
) -> tuple[dict[str, RunRecord], dict[str, JobStatus]]:
    """Return records and statuses, with the job that lives in the place of one that has ended.

    A submission that was sent twice makes two jobs of one name: the lease stops one of them, and
    that may be the one on record. Where it cannot be told now, nothing is known of the run.
    """
    over = [
        i for i, record in records.items() if statuses[i].state == "ended" and record.latest.job
    ]
    names = {i: name_of(records[i]) for i in over if _is_reached(launcher, records[i])}
    try:
        found = launcher.find(list(names.values()), wait=False) if names else {}
    except OutsideError:
        return dict(records), {**statuses, **dict.fromkeys(names, UNKNOWN)}
    others = {i: found[name] for i, name in names.items() if name in found}
    others = {i: job for i, job in others.items() if job != records[i].latest.job}
    told = launcher.poll(list(others.values())) if others else {}
    living = {i: job for i, job in others.items() if told[job].state != "ended"}
    adopted = {
        i: records[i].with_latest(records[i].latest.model_copy(update={"job": job}))
        for i, job in living.items()
    }
    return {**records, **adopted}, {**statuses, **{i: told[job] for i, job in living.items()}}


def _is_reached(launcher: Launcher, record: RunRecord) -> bool:
    return launcher.name == record.latest.launcher and (
        launcher.reach(record.latest.endpoint) == "here"
    )


def name_of(record: RunRecord) -> str:
    """Return the name under which the newest attempt is submitted."""
    attempt = record.latest
    return job_name(record.run_id, f"a{attempt.number}", attempt.nonce)


def observe(
    workspace: Workspace, snapshot: Snapshot, run: RunRecord, status: JobStatus = UNKNOWN
) -> Attempt:
    """Return the newest attempt of `run` as it is now; `status` is the launcher's word.

    Raises OutsideError when the run store does not answer.
    """
    folder = attempt_folder(workspace, run)
    if not folder.has(RESULT) and status.state == "ended":
        folder = folder.newest()  # asked again: it may have ended in between
    seen = _observed(workspace, snapshot, run, folder, status)
    is_new = seen.state != run.latest.state or len(folder.epochs) != len(seen.stays)
    return with_stays(seen, folder) if is_new else seen


def with_stays(attempt: Attempt, folder: AttemptFolder) -> Attempt:
    """Return `attempt` with where it has been, and what it had to train again."""
    stays, epochs = folder.stays(), folder.whereabouts()
    known = attempt.model_copy(
        update={
            "stays": stays or attempt.stays,
            "lost_steps": sum(epoch.lost_steps for epoch in epochs) or attempt.lost_steps,
            "where": attempt.where or (stays[-1].where if stays else ""),
            "wandb": next((one.wandb for one in reversed(epochs) if one.wandb), attempt.wandb),
        }
    )
    return costed(known, folder.task())


def _observed(
    workspace: Workspace,
    snapshot: Snapshot,
    run: RunRecord,
    folder: AttemptFolder,
    status: JobStatus,
) -> Attempt:
    attempt = run.latest
    # What the listing does not show is not asked for: most runs cost two requests of a bucket.
    beat = folder.heartbeat() if folder.has(HEARTBEAT) else None
    result = folder.result() if folder.has(RESULT) else None
    if result is not None:
        evidence = folder.evidence()
        if evidence is None or result.exit_code == EXIT_OUTSIDE:
            outcome: Outcome = "cancelled" if result.cancelled else "lost"
            cure = "" if outcome == "cancelled" else _AGAIN
            return ended(attempt, beat, outcome, result.error, cure)
        return _judged(workspace, snapshot, run, evidence, beat)
    if status.state == "ended":
        return _gone(attempt, beat, status)
    if status.state == "waiting":
        return _waiting(experiment_of(snapshot, run.run_id), attempt, beat, status, folder)
    if _is_of_former_start(attempt, folder):
        return attempt
    return _going(attempt, beat, status)


def _waiting(
    spec: Experiment,
    attempt: Attempt,
    beat: Heartbeat | None,
    status: JobStatus,
    folder: AttemptFolder,
) -> Attempt:
    """Return the attempt as waiting, for its first machines or for others after it lost them.

    Only while its launcher tries for them does it have a `waiting_since`: what waits for its turn
    alone needs no other place. Where the launcher does not know, since now by the store's clock,
    as others go on from there and heartbeats are compared with it.
    """
    reason = _recovering(attempt, beat, status) if beat else _wanted(spec, attempt, status)
    since = attempt.waiting_since if attempt.state == "waiting" else None
    since = None if status.is_queued else since or status.since or written(folder.store.now())
    return advance(
        attempt,
        "waiting",
        reason=reason,
        where=status.where or attempt.where,
        waiting_since=since,
        step=max(beat.step if beat else 0, attempt.step),
        steps=(beat.steps if beat else None) or attempt.steps,
    )


def _recovering(attempt: Attempt, beat: Heartbeat | None, status: JobStatus) -> str:
    step = max(beat.step if beat else 0, attempt.step)
    failed = beat is not None and beat.phase == restarts.FAILED
    what = f"starting again after it failed at step {step}"
    if not failed:
        what = f"recovering after a preemption at step {step}"
    times = max(len(attempt.stays), status.recoveries)
    return f"{what}, {_ordinal(times)} time" if times > 1 else what


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number // 10 % 10 != 1 else "th"
    return f"{number}{ending}"


def _wanted(spec: Experiment, attempt: Attempt, status: JobStatus) -> str:
    """Return what a job waits for, beginning with `for` where it is known.

    What comes after `: ` may be another at each look: between two tries SkyPilot waits itself, and
    it tries one region after the other.
    """
    told = status.detail.removeprefix("waiting ")
    if told and not told.startswith("for "):
        return told
    why = told.partition(": ")[2]
    places = open_places(spec, attempt)
    wanted = f"for {machines(spec.resources)}" + (f" on {places}" if places else "")
    return f"{wanted}: {why}" if why else wanted


def _going(attempt: Attempt, beat: Heartbeat | None, status: JobStatus) -> Attempt:
    """Return the attempt as its heartbeat shows it; states only ever go forward."""
    if beat is None or attempt.state == "claimed":
        return attempt
    seen = {
        "step": max(beat.step, attempt.step),
        "steps": beat.steps or attempt.steps,
        "where": status.where or attempt.where,
        "waiting_since": None,
    }
    if beat.phase in _TRAINING:
        started = attempt.started_at or now()
        return advance(attempt, "running", **seen, started_at=started, reason="")
    if attempt.state == "running":
        return attempt
    return advance(attempt, "waiting", **seen, reason=beat.phase)


def _is_of_former_start(attempt: Attempt, folder: AttemptFolder) -> bool:
    """Whether the heartbeat is older than the wait for new machines: nothing lives there now.

    By the clock of the store: that of the node may be hours off.
    """
    since = attempt.waiting_since
    if attempt.state != "waiting" or since is None:
        return False
    heard = folder.heard()
    return heard is not None and heard < datetime.fromisoformat(since)


def _gone(attempt: Attempt, beat: Heartbeat | None, status: JobStatus) -> Attempt:
    """Return the attempt as ended without a node's word."""
    if status.outcome == "cancelled":
        return ended(attempt, beat, "cancelled", status.detail or "cancelled", "")
    if status.outcome == "no_capacity":
        cure = "runner retry   later, or give it more places as `resources.candidates`"
        return ended(attempt, beat, "lost", status.detail, cure)
    if beat is None and status.detail:
        return ended(attempt, beat, "lost", status.detail, _SEE_LOG)
    step = max(beat.step if beat else 0, attempt.step)
    steps = (beat.steps if beat else None) or attempt.steps
    at = f"at step {step}" + (f" of {steps}" if steps else "")
    why = f"; {status.detail}" if status.detail else ""
    if beat and beat.phase in (restarts.INTERRUPTED, restarts.FAILED):
        word = "interrupted" if beat.phase == restarts.INTERRUPTED else "failed"
        reason = f"{word} {at}, and not started again{why}"
    else:
        reason = f"its process is gone without a word {at}: killed, or the machine was{why}"
    return ended(attempt, beat, "lost", reason, _FROM_CHECKPOINT)


def ended(
    attempt: Attempt, beat: Heartbeat | None, outcome: Outcome, reason: str, cure: str
) -> Attempt:
    """Return the attempt, ended with `outcome`."""
    # It may have trained between two looks; since when nobody saw, so from its claim on.
    trained = beat is not None and (beat.step > 0 or beat.phase in AT_THE_GPUS)
    return advance(
        attempt,
        "ended",
        outcome=outcome,
        reason=reason,
        cure=cure,
        waiting_since=None,
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
    attempt = ended(run.latest, beat, ending.outcome, ending.reason, ending.cure)
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
