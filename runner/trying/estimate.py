"""What something that a person starts by hand may cost, shown before it is started, and the asking.

Prices are those of a plan (runner.forecast.cost): of the places that the run may use, or none.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import NamedTuple

import click

from runner.errors import Refused
from runner.forecast.cost import Cost, cost, rates
from runner.forecast.lines import duration, text
from runner.forecast.span import Span
from runner.ledger.prices import read_prices
from runner.ledger.record import RunRecord
from runner.ledger.snapshot import Snapshot
from runner.report.notation import plural
from runner.spec.experiment import Experiment
from runner.spec.resources import Resources

_SPREAD = 0.15
"""By how much a run's time is taken to differ when it runs again; no measurement stands behind it.
"""


class Estimate(NamedTuple):
    """What one start takes, as far as it is known."""

    where: str
    """Machines and places, in words."""
    hours: Span | None
    cost: Cost | None
    ceiling_hours: float
    ceiling_usd: float | None
    """What it costs when it is stopped at its limit; None without a known price."""

    def line(self) -> str:
        """Return the estimate as people read it."""
        parts = [self.where]
        if self.hours:
            parts.append(duration(self.hours))
        if self.cost:
            parts.append(f"${text(self.cost.low, self.cost.high)}")
        parts.append(f"at most {self.ceiling_hours:.3g} h")
        if self.ceiling_usd is None:
            return f"{', '.join(parts)}; what it costs is not known"
        return f"{', '.join(parts)}, ${text(self.ceiling_usd, self.ceiling_usd)}"


def estimate(
    snapshot: Snapshot, spec: Experiment, *, hours: Span | None, limit_hours: float
) -> Estimate:
    """Return what a start of `spec` takes that may last `limit_hours`, expected `hours`."""
    prices, whole = read_prices(snapshot), spec.resources
    candidates = whole.candidates[: open_at_once(whole)]
    resources = whole.model_copy(update={"candidates": candidates})
    gpus = resources.gpus_per_node * resources.nodes
    expected = cost(hours.times(gpus), resources, prices) if hours and gpus else None
    known = rates(resources, len(candidates), prices)
    ceiling = max((one.usd_per_hour for one in known), default=None)
    usd = ceiling * limit_hours * resources.nodes if ceiling is not None else None
    if usd is not None and spec.budget:
        usd = min(usd, spec.budget.usd_per_run)
    return Estimate(_where(resources), hours, expected and expected.cost, limit_hours, usd)


def hours_of(record: RunRecord) -> Span | None:
    """Return how long a recorded run is expected to take when it runs again."""
    attempt = record.latest
    if not (attempt.started_at and attempt.ended_at):
        return None
    first, last = (datetime.fromisoformat(one) for one in (attempt.started_at, attempt.ended_at))
    hours = (last - first).total_seconds() / 3600
    return Span(low=hours * (1 - _SPREAD), high=hours * (1 + _SPREAD))


def agree(question: str, *, yes: bool) -> None:
    """Ask a person, unless they have said yes already.

    Raises Refused when they say no, or when there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("this may cost money, and nobody is here to ask", cure="--yes   agrees to it")
    if not click.confirm(question, err=True):
        raise Refused("not agreed to: nothing was started")


def open_at_once(resources: Resources) -> int:
    """Return how many of the candidates are open to what nobody moves on from one to the next.

    All before the first that needs an owner's yes.
    """
    approved = 0
    for candidate in resources.candidates:
        if candidate.needs_approval:
            break
        approved += 1
    return max(1, approved)


def _where(resources: Resources) -> str:
    nodes = f"{plural(resources.nodes, 'node')} with " if resources.nodes > 1 else ""
    machines = f"{nodes}{resources.accelerators or 'CPUs'}"
    places = [f"{one.infra}{' spot' * one.spot}" for one in resources.candidates]
    if not places:
        return f"{machines} wherever SkyPilot finds them"
    return f"{machines} on {' or '.join(places)}"
