"""Whether the launcher starts an attempt again after its machines went away, or after it failed.

What it does start again leaves no result: its last word is the phase of its heartbeat, and the
next epoch of its lease goes on. Only what is final has a result.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from runner.errors import OutsideError
from runner.node import job
from runner.node.channel import HEARTBEAT, RESULT
from runner.node.task import Limits, Result, Stop
from runner.node.whereabouts import read_json
from runner.storage.store import RunStore

ENDED = "ended"
INTERRUPTED = "interrupted"
FAILED = "failed, will be started again"
INTERRUPTED_GRACE_SECONDS = 5.0
"""For a trainer to end when its machine is taken away: some are gone 30 s after they say so."""
SHUTDOWN_SECONDS = 1.0
"""A shutdown reaches all processes, in any order: so long our own signal may come after a
trainer's end."""
CANCELLED = "cancelled"
"""In an attempt's folder in the run store: mark of a person's wish, as `job.CANCELLED` is here."""


class Restarts(NamedTuple):
    """How often an attempt has been started, why, and how often it may be."""

    limits: Limits
    epoch: int = 1
    failures: int = 0
    """Starts before this one that failed."""
    seconds: float = 0.0
    """What the starts before this one took, of `limits.seconds`."""
    last: Result | None = None
    """The final word of a start before this one: then there is nothing left to do."""

    @property
    def preemptions(self) -> int:
        """How often its machines were taken away."""
        return self.epoch - 1 - self.failures

    @property
    def excess(self) -> str:
        """Why it must not train again; empty while it may."""
        most = self.limits.preemptions
        if self.preemptions <= most:
            return ""
        return (
            f"its machines were taken away {self.preemptions} times, and "
            f"`resources.recover.preemptions` allows {most}"
        )

    @property
    def outlasts_a_signal(self) -> bool:
        """Whether it is started again after a signal that is no cancellation."""
        return self.preemptions < self.limits.preemptions

    def phase_after(self, result: Result, stopped: Stop) -> str:
        """Return the last phase of a start that ends with `result`: ENDED when that is final."""
        if result.exit_code == 0 or result.cancelled or self.excess:
            return ENDED
        if stopped == "signal":
            return INTERRUPTED if self.outlasts_a_signal else ENDED
        return FAILED if not stopped and self.failures < self.limits.errors else ENDED


def restarts_of(store: RunStore, attempt: str, epoch: int, limits: Limits) -> Restarts:
    """Return what the starts of `attempt` before `epoch` have left in `store`."""
    prefixes = [f"{attempt}/epoch-{number}" for number in range(1, epoch)]
    beats = [read_json(store, f"{prefix}/{HEARTBEAT}") for prefix in prefixes]
    results = [_result(store, prefix) for prefix in prefixes]
    return Restarts(
        limits,
        epoch,
        sum(beat.get("phase") == FAILED for beat in beats),
        sum(float(beat.get("seconds", 0.0)) for beat in beats),
        next((result for result in reversed(results) if result), None),
    )


def _result(store: RunStore, prefix: str) -> Result | None:
    content = store.get(f"{prefix}/{RESULT}")
    try:
        return Result.model_validate_json(content) if content else None
    except ValidationError:
        return None


def mark_cancelled(store: RunStore, attempt: str) -> None:
    """Leave word that an attempt's job is going to be stopped on purpose.

    `store` is the run's. A node that only sees a signal would take it for a preemption; so it does
    when the store does not answer, and is stopped all the same.
    """
    with contextlib.suppress(OutsideError):
        store.put(f"{attempt}/{CANCELLED}", b"\n")


def is_cancelled(folder: Path, store: RunStore, attempt: str) -> bool:
    """Whether somebody has cancelled the job: beside it in `folder`, or in the run store."""
    try:
        return job.is_cancelled(folder) or store.exists(f"{attempt}/{CANCELLED}")
    except OutsideError:
        return False
