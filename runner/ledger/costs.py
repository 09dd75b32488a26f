"""What attempts have cost: of each place where they have been, at the rates they were sent with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from runner.ledger.record import Attempt, RunRecord, Stay
from runner.ledger.spending import spent_by
from runner.node.budget import HOUR, priced, spent
from runner.node.task import NodeTask
from runner.spec.experiment import Experiment


class PlaceCost(NamedTuple):
    """What was spent at one place."""

    place: str
    """Cloud, cluster or context, such as `k8s/pool` or `gcp spot`."""
    hours: float
    """Of wall-clock time, on all nodes of a run at once."""
    usd: float | None
    """None when of a part of it nobody knows."""


def costed(attempt: Attempt, task: NodeTask | None) -> Attempt:
    """Return `attempt` with what its stays have cost, and once it has ended all of them together.

    `task` is what its node was told, with the rates; without it, or where they do not say, the cost
    stays unknown.
    """
    if task is None or not attempt.stays:
        return attempt
    stays = priced(attempt.stays, task.rates)
    total = spent(stays) if attempt.state == "ended" else attempt.cost_usd
    return attempt.model_copy(update={"stays": stays, "cost_usd": total})


def cost_of(attempt: Attempt) -> float | None:
    """Return what an ended attempt has cost; None where nobody knows, or on one's own machine.

    Of one whose stays have no price it is its time on its GPUs at the price that was expected.
    """
    if attempt.cost_usd is not None or attempt.launcher == "local" or not attempt.gpus:
        return attempt.cost_usd
    return spent_by(attempt).usd


def total_cost(attempts: Iterable[Attempt]) -> float | None:
    """Return what ended attempts have cost together; None when of none of them it is known."""
    known = [cost for one in attempts if (cost := cost_of(one)) is not None]
    return round(sum(known), 2) if known else None


def budget_left(spec: Experiment, record: RunRecord | None) -> float | None:
    """Return what is left of a run's budget for another attempt; None without a budget.

    Of an ended attempt whose cost is not known it is its time at the price that was expected.
    Without a `record` all of it is left.
    """
    if spec.budget is None:
        return None
    attempts = record.attempts if record else ()
    cost = sum(cost_of(attempt) or 0.0 for attempt in attempts if attempt.state == "ended")
    return max(0.0, round(spec.budget.usd_per_run - cost, 2))


def by_place(attempts: Iterable[Attempt]) -> tuple[PlaceCost, ...]:
    """Return time and cost of attempts by place, the dearest first; none on one's own machines."""
    found: dict[str, PlaceCost] = {}
    for stay in (stay for attempt in attempts for stay in attempt.stays):
        if stay.where == "local":
            continue
        name = billed_to(stay)
        before = found.get(name, PlaceCost(name, 0.0, 0.0))
        usd = None if stay.usd is None or before.usd is None else before.usd + stay.usd
        found[name] = PlaceCost(name, before.hours + stay.seconds / HOUR, usd)
    return tuple(sorted(found.values(), key=lambda one: (-(one.usd or 0.0), one.place)))


def billed_to(stay: Stay) -> str:
    """Return a stay's place as a bill has it: a cloud without its regions, a cluster by its name.

    A Kubernetes context may have slashes in its name.
    """
    cloud, *rest = stay.where.split("/")
    if cloud in ("slurm", "ssh"):
        rest = rest[:1]
    elif cloud != "k8s":
        rest = []
    name = "/".join((cloud, *rest))
    return f"{name} spot" if stay.spot else name
