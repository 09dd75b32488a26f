"""What an attempt costs while it goes on, and when it has reached what it may cost.

Counted is the time of its node programs on all nodes, at the rates that the task was submitted
with: what the cloud charges for starting and setting up machines, storage and traffic is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.ledger.record import Stay
from runner.node.channel import HEARTBEAT
from runner.node.rate import Rate
from runner.node.task import NodeTask
from runner.node.whereabouts import Whereabouts, read_json, read_whereabouts
from runner.spec.experiment import Experiment
from runner.spec.infra import is_within
from runner.storage.store import RunStore

HOUR = 3600.0
MEASURED_STEPS = 3
"""Steps whose time has to be known before anything is concluded from it; the first is not one."""


def rate_at(rates: Iterable[Rate], where: str, *, spot: bool) -> float | None:
    """Return US dollars for one node for an hour at a place; None where nobody knows.

    The rate of the smallest place that holds it counts, else that of its dearest part; of two
    alike the dearer one.
    """
    same = [rate for rate in rates if rate.spot == spot]
    fitting = [rate for rate in same if is_within(where, rate.infra)]
    nearest = max((len(rate.infra.split("/")) for rate in fitting), default=0)
    closest = [rate for rate in fitting if len(rate.infra.split("/")) == nearest]
    parts = [rate for rate in same if is_within(rate.infra, where)]
    return max((rate.usd_per_hour for rate in closest or parts), default=None)


def priced(stays: Iterable[Stay], rates: Sequence[Rate]) -> tuple[Stay, ...]:
    """Return `stays` with what they cost, where the rate of their place is known."""
    return tuple(
        stay.model_copy(
            update={"usd": _cost(rate_at(rates, stay.where, spot=stay.spot), stay.nodes, stay)}
        )
        for stay in stays
    )


def _cost(rate: float | None, nodes: int, stay: Stay) -> float | None:
    return None if rate is None else round(rate * nodes * stay.seconds / HOUR, 4)


def spent(stays: Sequence[Stay]) -> float | None:
    """Return what `stays` cost together; None when of one of them nobody knows, or there is none.

    A part is never told as the whole: it would be too little.
    """
    known = [stay.usd for stay in stays if stay.usd is not None]
    return round(sum(known), 2) if known and len(known) == len(stays) else None


class Meter(NamedTuple):
    """Counts what an attempt costs."""

    usd_per_hour: float
    """Of all its nodes together, where they are now."""
    before: float = 0.0
    """What its starts before this one have cost, in US dollars."""
    ceiling: float | None = None
    """What the attempt may cost; none without a budget."""

    def spent(self, seconds: float) -> float:
        """Return what the attempt has cost when this start of it has gone on for `seconds`."""
        return self.before + self.usd_per_hour * seconds / HOUR

    def is_over(self, seconds: float) -> bool:
        """Whether the ceiling has been reached after `seconds` of this start."""
        return self.ceiling is not None and self.spent(seconds) >= self.ceiling

    @property
    def seconds(self) -> float | None:
        """How long this start may go on; None without an end."""
        if self.ceiling is None or not self.usd_per_hour:
            return None
        return max(0.0, self.ceiling - self.before) * HOUR / self.usd_per_hour


def meter_of(task: NodeTask, store: RunStore, epoch: int, here: Whereabouts) -> Meter | None:
    """Return the meter of the start `epoch` of an attempt; None where its price is not known."""
    rate = rate_at(task.rates, here.where, spot=here.spot)
    if rate is None:
        return None
    former = (_former(store, task.attempt, number) for number in range(1, epoch))
    before = (stay.usd for stay in priced((one for one in former if one), task.rates))
    return Meter(rate * here.nodes, sum(usd or 0.0 for usd in before), task.limits.usd)


def _former(store: RunStore, attempt: str, epoch: int) -> Stay | None:
    found = read_whereabouts(store, attempt, epoch)
    if found is None:
        return None
    seconds = float(read_json(store, f"{attempt}/epoch-{epoch}/{HEARTBEAT}").get("seconds", 0.0))
    return Stay(where=found.where, spot=found.spot, nodes=found.nodes, seconds=seconds)


def without_meter(task: NodeTask, here: Whereabouts) -> str:
    """Return, for the log, why a budget cannot be kept on this node; empty where there is none."""
    if task.limits.usd is None or here.where == "local":
        return ""
    kind = "spot" if here.spot else "on demand"
    return (
        f"the budget of ${task.limits.usd:,.2f} cannot be kept: no price is known for "
        f"{task.spec.resources.accelerators or 'machines without GPUs'} {kind} on {here.where}; "
        f"the time limit counts alone"
    )


class Pace:
    """The shortest time that a step has taken, as it is seen from outside."""

    def __init__(self) -> None:
        """Begin before the first step."""
        self._last: tuple[int, float] | None = None
        self._seconds: list[float] = []

    def advance(self, step: int, at: float) -> None:
        """Note that `step` has been done by the moment `at`, in seconds."""
        if self._last and step > self._last[0]:
            self._seconds.append((at - self._last[1]) / (step - self._last[0]))
        if self._last is None or step != self._last[0]:
            # What comes before the first step is no step's time.
            self._last = (step, at) if step > 0 else None

    @property
    def fastest(self) -> float | None:
        """Seconds of the fastest step; None before there are enough of them."""
        return min(self._seconds) if len(self._seconds) >= MEASURED_STEPS else None


def is_in_vain(
    spec: Experiment,
    fastest: float | None,
    left: float | None,
    step: int,
    kept: int,
    end: int | None,
) -> bool:
    """Whether nothing would be kept of what is trained from now on.

    Even at the `fastest` pace the next checkpoint, or the `end`, comes after the `left` seconds,
    and all checkpoints before it are `kept`. With `when_exceeded: stop` nobody asks.
    """
    every = spec.training.save_every
    if spec.budget is None or spec.budget.when_exceeded == "stop" or every is None:
        return False
    last = step - step % every
    if fastest is None or left is None or kept < last:
        return False
    following = min(last + every, end or last + every)
    return (following - step) * fastest > left
