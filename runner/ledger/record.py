"""What the ledger says of a run: its attempts, their states, and which transition is allowed.

    planned -> claimed -> submitted -> waiting -> running -> ended(outcome)

The transitions are data (`TRANSITIONS`); `advance` is the only way to make one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

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


def now() -> str:
    """Return this moment as the ledger writes it: UTC, to the second, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Judgement(Section):
    """One expectation, judged."""

    metric: str
    condition: str
    verdict: Literal["pass", "fail", "not_measured"]
    value: float | None
    """The left side of the condition, as measured."""


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
    started_at: str | None = None
    ended_at: str | None = None
    step: int = 0
    steps: int | None = None
    metrics: dict[str, float] = Field(default={})
    """Last value per canonical metric."""
    judgements: tuple[Judgement, ...] = Field(default=(), strict=False)
    checkpoint: str | None = None
    """Digest (`md5:…` of the DVC directory) of the final export."""
    cost_usd: float | None = None
    environment: dict[str, Any] = Field(default={})
    """Versions and hardware as the node saw them."""


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

    def with_latest(self, attempt: Attempt) -> RunRecord:
        """Return this record with its newest attempt replaced."""
        return self.model_copy(update={"attempts": (*self.attempts[:-1], attempt)})


def advance(attempt: Attempt, state: State, **changes: Any) -> Attempt:
    """Return `attempt` in `state` with `changes`.

    Raises Refused when the transition is not in TRANSITIONS or an end has no outcome.
    """
    if state not in TRANSITIONS[attempt.state]:
        raise Refused(f"attempt {attempt.number} is {attempt.state}: it cannot become {state}")
    if (state == "ended") != (changes.get("outcome") is not None):
        raise Refused(f"state {state} and outcome {changes.get('outcome')} contradict each other")
    return Attempt.model_validate({**attempt.model_dump(), **changes, "state": state})


def folder(run_id: str) -> str:
    """Return the run's folder on the ledger branch and in the run store."""
    return f"runs/{run_id[:2]}/{run_id}"
