"""How the state of a run is put into words, the same on pages, in tables and in statuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.ledger.record import Attempt, Judgement, RunRecord
from runner.report.notation import plural

_NAMED = {
    "failed": "failed",
    "under_trained": "under-trained",
    "cancelled": "cancelled",
    "over_budget": "over its budget",
    "lost": "lost",
}


class Status(NamedTuple):
    """A state in words."""

    mark: str
    """One character: ✅ held, ❌ did not, ⚠️ look, ⏳ still going, ⏹️ stopped on purpose."""
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


def describe(attempt: Attempt) -> Status:
    """Return how an attempt stands or ended, such as `❌ failed at step 43 of 105: …`."""
    if attempt.state != "ended":
        return Status("⏳", _going(attempt))
    if attempt.outcome == "succeeded":
        return _succeeded(attempt.judgements)
    named = _NAMED[attempt.outcome or "lost"]
    mark = "⏹️" if attempt.outcome == "cancelled" else "❌"
    reason = attempt.reason
    if not reason or reason.startswith(named):
        return Status(mark, reason or named)
    return Status(mark, f"{named}: {reason}")


def short(attempt: Attempt) -> str:
    """Return the state in one word with its mark, for tables: `✅ succeeded`, `⏳ running`."""
    word = _NAMED.get(attempt.outcome or "", attempt.outcome or attempt.state)
    mark = describe(attempt).mark
    return "❌ missed" if (mark, word) == ("❌", "succeeded") else f"{mark} {word}"


def _going(attempt: Attempt) -> str:
    if attempt.state == "running":
        return f"running, step {progress(attempt)}"
    if attempt.state == "waiting" and attempt.reason.startswith("for "):
        return f"waiting {attempt.reason}"
    if attempt.state == "waiting" and attempt.waiting_since and attempt.stays:  # it recovers
        return attempt.reason
    return f"{attempt.state}: {attempt.reason}" if attempt.reason else attempt.state


def _succeeded(judgements: Sequence[Judgement]) -> Status:
    total = len(judgements)
    failed = sum(judgement.verdict == "fail" for judgement in judgements)
    missing = sum(judgement.verdict == "not_measured" for judgement in judgements)
    if failed:
        return Status("❌", f"trained, but {failed} of {plural(total, 'expectation')} failed")
    if missing:
        return Status("⚠️", f"succeeded, {missing} of {plural(total, 'expectation')} not measured")
    return Status("✅", "succeeded, all expectations hold" if total else "succeeded")


def progress(attempt: Attempt) -> str:
    """Return `43 of 105`, or `43` where only the trainer knows how many there will be."""
    return f"{attempt.step:,}" + (f" of {attempt.steps:,}" if attempt.steps else "")


def describe_all(records: Sequence[RunRecord]) -> Status:
    """Return how the runs of one experiment stand together."""
    statuses = [describe(record.latest) for record in records]
    if not statuses:
        return Status("⏳", "no run yet")
    if len(set(statuses)) == 1:
        return statuses[0]
    going = sum(record.is_active for record in records)
    if going:
        return Status("⏳", f"{going} of {plural(len(records), 'run')} still going")
    done = sum(record.latest.outcome == "succeeded" for record in records)
    refuted = sum(_has_failed_expectation(record) for record in records)
    mark = "❌" if any(status.mark == "❌" for status in statuses) else "⚠️"
    also = f"; expectations failed in {refuted}" if refuted else ""
    return Status(mark, f"{done} of {plural(len(records), 'run')} succeeded{also}")


def _has_failed_expectation(record: RunRecord) -> bool:
    return any(judgement.verdict == "fail" for judgement in record.latest.judgements)
