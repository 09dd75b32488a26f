"""The places that a run may use: which are open to it now, and when the next one opens.

An attempt begins with the first candidate. Once it has waited `wait_per_candidate` without getting
machines it ends, and the next attempt may use one candidate more; SkyPilot tries all that are open
in their order. A recovered run that waits again counts from then on, and its next attempt goes on
from its last checkpoint. A candidate with `needs_approval` is opened by an owner alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from runner.launchers.base import JobStatus
from runner.launching.nonces import new_nonce
from runner.ledger.record import Attempt, RunRecord, advance, now
from runner.report.notation import duration
from runner.spec.experiment import Experiment
from runner.spec.resources import Candidate, Resources


class Next(NamedTuple):
    """The candidate that comes after those that are open to an attempt."""

    candidate: Candidate
    at: datetime | None
    """When time opens it; None where only an owner can."""


def place(candidate: Candidate) -> str:
    """Return a candidate in words, such as `gcp (spot)`."""
    return f"{candidate.infra} (spot)" if candidate.spot else candidate.infra


def open_places(spec: Experiment, attempt: Attempt) -> str:
    """Return where an attempt may run, in words; empty where it may anywhere."""
    opened = spec.resources.candidates[: attempt.candidates]
    return " or ".join(dict.fromkeys(map(place, opened)))


def machines(resources: Resources) -> str:
    """Return what one run needs, such as `2 x H100:8`; `a machine` where it trains on the CPU."""
    number = f"{resources.nodes} x " if resources.nodes > 1 else ""
    if resources.accelerators:
        return f"{number}{resources.accelerators}"
    return f"{resources.nodes} machines" if resources.nodes > 1 else "a machine"


def next_of(spec: Experiment, attempt: Attempt) -> Next | None:
    """Return what comes after the open candidates; None after the last, or while none is due."""
    rest = spec.resources.candidates[attempt.candidates :]
    if attempt.state != "waiting" or attempt.waiting_since is None or not rest:
        return None
    if rest[0].needs_approval:
        return Next(rest[0], None)
    since = datetime.fromisoformat(attempt.waiting_since)
    return Next(rest[0], since + timedelta(seconds=spec.resources.wait_per_candidate))


def coming(spec: Experiment, record: RunRecord) -> str:
    """Return what comes next for a run that waits, such as `gcp (spot) from 18:30 UTC`."""
    found = next_of(spec, record.latest)
    if found is None:
        return ""
    where = place(found.candidate)
    if found.at is not None:
        return f"{where} from {found.at:%H:%M} UTC"
    owner = "once an owner of the policy says so"
    return f"{where} {owner}: runner launch {record.experiment}"


def opened(record: RunRecord, ended: Attempt) -> RunRecord:
    """Return `record` with its newest attempt `ended` and one more, open to one candidate more.

    It is promised what the former was: what that did not take is free again.
    """
    last = record.latest
    claim = Attempt(
        number=last.number + 1,
        state="claimed",
        nonce=new_nonce(),
        commit=last.commit,
        launcher=last.launcher,
        endpoint=last.endpoint,
        claimed_at=now(),
        gpus=last.gpus,
        gpu_hours=last.gpu_hours,
        usd=last.usd,
        candidates=last.candidates + 1,
        steps=last.steps,
    )
    return record.with_latest(ended).with_next(claim)


def moved(
    spec: Experiment, record: RunRecord, status: JobStatus, seen: Attempt, at: datetime
) -> RunRecord | None:
    """Return `record` with an attempt that may use the next candidate as well, if it is time.

    `seen` is the newest attempt as `status`, the launcher's word, makes it. Only a job that waits
    moves on, or one that SkyPilot gave up since no open candidate can have its machines.
    """
    rest = spec.resources.candidates[seen.candidates :]
    if not rest or rest[0].needs_approval:
        return None
    if seen.state == "ended":
        gave_up = status.state == "ended" and status.outcome == "no_capacity"
        why = f"{open_places(spec, seen)} cannot have it: {status.detail}"
        return opened(record, _left(seen, why, rest[0])) if gave_up else None
    following = next_of(spec, seen)
    if status.state != "waiting" or following is None or following.at is None or at < following.at:
        return None
    patience = duration(spec.resources.wait_per_candidate)
    why = f"no capacity on {open_places(spec, seen)} within {patience}"
    return opened(record, _left(seen, why, rest[0]))


def opened_now(spec: Experiment, record: RunRecord) -> RunRecord | None:
    """Return `record` with the next candidate opened by a person; None where none is due."""
    attempt = record.latest
    following = next_of(spec, attempt)
    if following is None:
        return None
    why = f"no capacity on {open_places(spec, attempt)} so far"
    return opened(record, _left(attempt, why, following.candidate))


def _left(attempt: Attempt, why: str, following: Candidate) -> Attempt:
    """Return `attempt` ended, so that the next may use `following` as well."""
    reason = f"{why}; attempt {attempt.number + 1} may use {place(following)} as well"
    told = {"outcome": "cancelled", "reason": reason, "cure": "", "waiting_since": None}
    if attempt.state == "ended":
        return attempt.model_copy(update=told)
    return advance(attempt, "ended", **told, ended_at=now())
