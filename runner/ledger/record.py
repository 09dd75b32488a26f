"""What the ledger says of a run: its attempts, their states, and which transition is allowed.

    planned -> claimed -> submitted -> waiting -> running -> ended(outcome)

The transitions are data (`TRANSITIONS`); `advance` is the only way to make one, `check_successor`
what the ledger asks of every record before it is written.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import Field

from runner.errors import Refused
from runner.spec.section import Section

State = Literal["claimed", "submitted", "waiting", "running", "ended"]
Outcome = Literal["succeeded", "failed", "under_trained", "cancelled", "over_budget", "lost"]

TRANSITIONS: dict[State, frozenset[State]] = {
    "claimed": frozenset({"submitted", "ended"}),
    "submitted": frozenset({"waiting", "running", "ended"}),
    "waiting": frozenset({"waiting", "running", "ended"}),
    "running": frozenset({"waiting", "running", "ended"}),
    "ended": frozenset(),
}
"""From each state of an attempt, the states that may follow; `planned` is the absence of one."""


def ledger_json(value: Any) -> bytes:
    """Return `value` as the ledger writes JSON: sorted and indented, so that differences read well.

    Raises ValueError for numbers that JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def now() -> str:
    """Return this moment, by the clock of this machine, as the ledger writes it."""
    return written(datetime.now(UTC))


def written(at: datetime) -> str:
    """Return a moment as the ledger writes it: UTC, to the second, ISO 8601."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Judgement(Section):
    """One expectation, judged."""

    metric: str
    condition: str
    verdict: Literal["pass", "fail", "not_measured"]
    value: float | None
    """The left side of the condition, as measured."""


class Stay(Section):
    """One stretch of an attempt on rented or shared machines: from a start of its node program."""

    where: str
    """As SkyPilot writes `infra`, such as `gcp/us-central1`."""
    spot: bool = False
    nodes: int = 1
    seconds: float
    """Wall-clock time on all nodes at once."""
    usd: float | None = None
    """What they cost; None where the place has no known price."""
    first_step: int = 0
    last_step: int = 0


class Attempt(Section):
    """The n-th time that a run was launched."""

    number: int = Field(ge=1)
    state: State
    outcome: Outcome | None = None
    reason: str = ""
    """Why it ended as it did, or why it waits: one sentence for people."""
    cure: str = ""
    """What to do about it; empty when it succeeded."""
    nonce: str
    """Random per claim: tells our submission from one of the same name."""
    commit: str
    """The commit whose code and specs it runs."""
    launcher: str
    endpoint: str
    """Where the launcher lives (host and boot id, or API server): only there it may be adopted."""
    job: str | None = None
    """The launcher's id of it, once submitted."""
    claimed_at: str
    gpus: int | None = None
    """On all its nodes together; None where it was claimed by a runner that did not say."""
    gpu_hours: float | None = None
    """Expected at the claim, at most; None where nobody knew. So is `usd`, if they are rented."""
    usd: float | None = None
    candidates: int = 1
    """How many of the spec's candidates it may use, from the first on."""
    where: str = ""
    """The place that it runs at or waits for, as the launcher says."""
    waiting_since: str | None = None
    """While it waits: since when, after a recovery since it was interrupted."""
    started_at: str | None = None
    ended_at: str | None = None
    stays: tuple[Stay, ...] = Field(default=(), strict=False)
    """Where it has been, the newest last; a recovered one has several."""
    lost_steps: int = 0
    """Steps that were trained again after recoveries."""
    step: int = 0
    steps: int | None = None
    metrics: dict[str, float] = Field(default={})
    """Last value per canonical metric."""
    judgements: tuple[Judgement, ...] = Field(default=(), strict=False)
    checkpoint: str | None = None
    """Digest (`md5:…` of the DVC directory) of the final export."""
    cost_usd: float | None = None
    wandb: str = ""
    """Address of its run at Weights & Biases; empty where it is offline."""
    environment: dict[str, Any] = Field(default={})
    """Versions and hardware as the node saw them."""

    @property
    def recoveries(self) -> int:
        """How often its node program was started again."""
        return max(0, len(self.stays) - 1)


class RunRecord(Section):
    """One run of the registry, with all its attempts, as `runs/<2 hex>/<run id>/record.json`."""

    run_id: str = Field(pattern=r"^[0-9a-f]{12}$")
    identity: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the identity payload, which `identity.json` beside this file holds."""
    experiment: str
    seed: int
    point: dict[str, Any]
    trainer: str
    attempts: tuple[Attempt, ...] = Field(strict=False, min_length=1)

    @property
    def latest(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def is_active(self) -> bool:
        """Whether something of this run may still be going on."""
        return self.latest.state != "ended"

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Return the record that `to_json` wrote; raises pydantic's ValidationError."""
        return cls.model_validate_json(content)

    def to_json(self) -> bytes:
        """Return the record as record.json holds it."""
        return ledger_json(self.model_dump(mode="json"))

    def with_latest(self, attempt: Attempt) -> RunRecord:
        """Return this record with its newest attempt replaced."""
        return self.model_copy(update={"attempts": (*self.attempts[:-1], attempt)})

    def with_next(self, attempt: Attempt) -> RunRecord:
        """Return this record with one more attempt; Refused while the newest is still going."""
        after = self.model_copy(update={"attempts": (*self.attempts, attempt)})
        check_successor(self, after)
        return after


def advance(attempt: Attempt, state: State, **changes: Any) -> Attempt:
    """Return `attempt` in `state` with `changes`.

    Raises Refused when the transition is not in TRANSITIONS or an end has no outcome.
    """
    if state not in TRANSITIONS[attempt.state]:
        raise Refused(f"attempt {attempt.number} is {attempt.state}: it cannot become {state}")
    if (state == "ended") != (changes.get("outcome") is not None):
        raise Refused(f"state {state} and outcome {changes.get('outcome')} contradict each other")
    return Attempt.model_validate({**attempt.model_dump(), **changes, "state": state})


def may_become(before: State, after: State) -> bool:
    """Return whether some transitions lead from `before` to `after`; one commit may hold several.

    Staying is allowed: a step or a metric may be news.
    """
    reached, new = {before}, {before}
    while new:
        new = {state for known in new for state in TRANSITIONS[known]} - reached
        reached |= new
    return after in reached


def check_successor(before: RunRecord | None, after: RunRecord) -> None:
    """Refuse `after` where it contradicts what the ledger already says of the run.

    An attempt is never dropped or renumbered, an ended one keeps its outcome, a state never goes
    back, a claim is never taken over by another nonce or endpoint, and a new attempt starts only
    when the last one has ended. Raises Refused.
    """
    known = before.attempts if before else ()
    if before and (before.run_id, before.identity) != (after.run_id, after.identity):
        raise Refused(f"run {before.run_id} cannot become run {after.run_id}")
    if [attempt.number for attempt in after.attempts] != list(range(1, len(after.attempts) + 1)):
        raise Refused(f"run {after.run_id}: attempts are not numbered from 1 without gaps")
    if not len(known) <= len(after.attempts) <= len(known) + 1:
        raise Refused(f"run {after.run_id}: {len(known)} attempts became {len(after.attempts)}")
    if any(attempt.state != "ended" for attempt in after.attempts[:-1]):
        raise Refused(f"run {after.run_id}: attempt {len(known)} has not ended yet")
    for attempt in after.attempts:
        if (attempt.state == "ended") != (attempt.outcome is not None):
            raise Refused(
                f"attempt {attempt.number} of run {after.run_id}: state {attempt.state} and "
                f"outcome {attempt.outcome} contradict each other"
            )
    for old, new in zip(known, after.attempts, strict=False):
        _check_attempt(after.run_id, old, new)


def _check_attempt(run_id: str, old: Attempt, new: Attempt) -> None:
    what = f"attempt {old.number} of run {run_id}"
    if old.nonce != new.nonce:
        raise Refused(f"{what} was claimed by someone else")
    if (old.launcher, old.endpoint) != (new.launcher, new.endpoint):
        raise Refused(f"{what} was claimed at {old.endpoint}: it cannot move to {new.endpoint}")
    if not may_become(old.state, new.state):
        raise Refused(f"{what} is {old.state}: it cannot become {new.state}")
    if old.state == "ended" and old.outcome != new.outcome:
        raise Refused(f"{what} has ended as {old.outcome}: it cannot become {new.outcome}")


def folder(run_id: str) -> str:
    """Return the run's folder on the ledger branch and in the run store."""
    return f"runs/{run_id[:2]}/{run_id}"
