"""Where an attempt has been, how often it was recovered, and what that cost, in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from runner.ledger.record import Attempt, Stay
from runner.report.notation import plural, usd


def recovered(attempt: Attempt) -> str:
    """Return `1 (at 47, lost 7 steps, $6)`; empty for one that was never recovered."""
    if not attempt.recoveries:
        return ""
    steps = [f"{stay.last_step:,}" for stay in attempt.stays[:-1]]
    at = " and ".join([*([", ".join(steps[:-1])] if steps[1:] else []), steps[-1]])
    lost = plural(attempt.lost_steps, "step") if attempt.lost_steps else "no step"
    cost = lost_usd(attempt.stays)
    return f"{attempt.recoveries} (at {at}, lost {lost}{f', {usd(cost)}' if cost else ''})"


def lost_usd(stays: Sequence[Stay]) -> float | None:
    """Return what the steps cost that had to be trained again; None where nobody knows.

    Of each stay the share of its cost that its lost steps are of all its steps.
    """
    costs = [_lost(before, after) for before, after in pairwise(stays)]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _lost(before: Stay, after: Stay) -> float | None:
    if before.usd is None:
        return None
    trained, lost = before.last_step - before.first_step, before.last_step - after.first_step
    return before.usd * min(1.0, max(0, lost) / trained) if trained > 0 else before.usd


def places(attempt: Attempt) -> str:
    """Return where an attempt has been, such as `gcp/us-central1 (spot)`; empty for this machine.

    Each place once, in the order of the stays; where none is known, where it runs or waits.
    """
    found = [f"{stay.where} (spot)" if stay.spot else stay.where for stay in attempt.stays]
    named = dict.fromkeys(found or [attempt.where])
    return ", ".join(name for name in named if name not in ("", "local"))
