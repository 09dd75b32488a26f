"""What runs have cost, as a line of their page: against what was expected, by place, recoveries."""

from __future__ import annotations

from collections.abc import Sequence

from runner.ledger.costs import PlaceCost, by_place
from runner.ledger.record import Attempt
from runner.report.notation import usd
from runner.report.page import Line, Strong
from runner.report.recoveries import lost_usd


def cost_line(attempts: Sequence[Attempt]) -> Line:
    """Return `$66 of at most $90 expected · k8s/pool 3.1 h $60 · gcp spot 0.4 h $6`.

    Empty where nobody knows what any of them cost, as on one's own machine.
    """
    places = by_place(attempts)
    known = [one for one in attempts if one.cost_usd is not None]
    if not places or not known:
        return ()
    # Of attempts that were priced alone: an expectation of the others is none of this sum.
    expected = [one.usd for one in known if one.usd is not None]
    told = f" of at most {usd(sum(expected))} expected" if len(expected) == len(known) else ""
    total = Strong(usd(sum(one.cost_usd or 0.0 for one in known)))
    parts = "".join(f" · {_place(one)}" for one in places)
    lost = sum(lost_usd(one.stays) or 0.0 for one in attempts)
    again = f" · trained again after recoveries: {usd(lost)}" if lost else ""
    return (total, f"{told}{parts}{again}")


def _place(one: PlaceCost) -> str:
    hours = f"{one.place} {one.hours:,.1f} h"
    return f"{hours} {usd(one.usd)}" if one.usd is not None else f"{hours} at an unknown price"
