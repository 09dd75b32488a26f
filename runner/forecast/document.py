"""The forecast of a run as the plan states it."""

from __future__ import annotations

from typing import NamedTuple

from runner.forecast.cost import Cost, Priced, cost
from runner.forecast.duration import run_seconds
from runner.forecast.earlier import Earlier
from runner.forecast.memory import GIB, estimate
from runner.forecast.setup import Setup, has_memory_model, setup
from runner.forecast.span import Span
from runner.forecast.storage import Storage, storage
from runner.ledger.prices import PriceList
from runner.models.facts import Models
from runner.spec.cards import Cards
from runner.spec.experiment import Experiment
from runner.trainers.base import steps_planned

HOUR = 3600.0


class Memory(NamedTuple):
    """Memory of one GPU, in GiB: an upper bound, not measured."""

    peak: float
    phase: str
    """The phase that takes the most."""
    capacity: float
    largest: str
    """The largest part of that phase."""
    phases: dict[str, dict[str, float]]
    """Every phase with its parts."""


class Store(NamedTuple):
    """What a run writes, in GiB."""

    checkpoint: float
    """One checkpoint, with the model in Hugging Face format that lies in it."""
    states: float
    """Of that, weights and optimizer states."""
    written: int | None
    """Checkpoints over the whole run; null when the number of steps is not known."""
    kept: int
    exported: float
    total: float
    """What the run store holds when the run has ended."""
    node: float
    """The most that one node's disk holds."""


class Forecast(NamedTuple):
    """What one run is expected to take."""

    batch: str
    """The arithmetic of steps and updates, in words."""
    steps: int | None
    hours: Span | None
    """Wall-clock time; null where neither an earlier run nor the model of throughput tells."""
    basis: str
    """What `hours` comes from; without hours, what is not known."""
    gpu_hours: Span | None
    cost: Cost | None
    prices: str
    """What `cost` comes from."""
    memory: Memory | None
    storage: Store | None


class Forecaster:
    """Makes forecasts; runs that differ in their seed share one."""

    def __init__(
        self, models: Models, cards: Cards, earlier: Earlier, quoted: PriceList | None = None
    ) -> None:
        """Ask these for what is known; `quoted` is the ledger's list of prices."""
        self._models = models
        self._cards = cards
        self._earlier = earlier
        self._quoted = quoted
        self._done: dict[tuple[str, int], tuple[Experiment, Forecast | None]] = {}

    def forecast(self, name: str, spec: Experiment) -> Forecast | None:
        """Return the forecast of a run of the experiment `name`; None for a script."""
        key = (name, id(spec))  # the spec is kept beside it: its id stays its own
        if key not in self._done:
            self._done[key] = (spec, self._make(name, spec))
        return self._done[key][1]

    def _make(self, name: str, spec: Experiment) -> Forecast | None:
        if spec.data is None or spec.algorithm is None:
            return None
        facts = self._models.find(spec.model)
        run = setup(spec, facts.architecture) if facts else None
        steps = steps_planned(spec.training, self._cards.rows(spec.data.train))
        seconds, basis = self._seconds(name, spec, run, steps)
        gpus = spec.resources.gpus_per_node * spec.resources.nodes
        gpu_hours = seconds.times(gpus / HOUR).rounded() if seconds and gpus else None
        written = storage(spec, facts.architecture, steps) if facts else None
        price = cost(gpu_hours, spec.resources, self._quoted) if gpu_hours else None
        return Forecast(
            batch=arithmetic(spec),
            steps=steps,
            hours=seconds.times(1 / HOUR).rounded() if seconds else None,
            basis=basis,
            gpu_hours=gpu_hours,
            cost=price.cost if price else None,
            prices=_prices(price),
            memory=_memory(run) if run and has_memory_model(spec) else None,
            storage=_store(written) if written and written.written != 0 else None,
        )

    def _seconds(
        self, name: str, spec: Experiment, run: Setup | None, steps: int | None
    ) -> tuple[Span | None, str]:
        if steps is None:
            card = f"runner data card --write {spec.data.train}" if spec.data else ""
            return None, f"the number of steps, for want of the dataset's card ({card})"
        if measured := self._earlier.seconds(name, spec, steps):
            seconds, which = measured
            return seconds, which
        if run is not None:
            return run_seconds(run, steps), "a model of tokens and throughput, no run"
        if not spec.resources.gpus_per_node:
            return None, ""  # on a CPU it takes what it takes
        return None, "the model's architecture, or the accelerator"


def _prices(price: Priced | None) -> str:
    """Return where the prices are from, and of which candidates none is known."""
    if price is None:
        return "no price known"
    return price.source + (f"; none known for {', '.join(price.unknown)}" if price.unknown else "")


def arithmetic(spec: Experiment) -> str:
    """Return how a step and an update divide over the devices, in words."""
    training, devices = spec.training, spec.resources.devices
    group = spec.algorithm.terms().group_size if spec.algorithm else 1
    step, update = training.prompts_per_step, training.prompts_per_update
    what = "rows" if group == 1 else "samples"
    text = f"{step * group:,} {what} a step"
    text += f" ({step:,} prompts x {group})" if group > 1 else ""
    text += f", {step * group / devices:,g} per device" if devices > 1 else ""
    if update is not None and update != step:
        text += f"; {step / update:g} updates of {update * group:,}"
        text += f", {update * group / devices:,g} per device" if devices > 1 else ""
    return text


def _memory(run: Setup) -> Memory:
    sizes = estimate(run)
    return Memory(
        peak=_gib(sizes.peak.total),
        phase=sizes.peak.name,
        capacity=_gib(sizes.capacity),
        largest=sizes.peak.largest.name,
        phases={
            phase.name: {term.name: _gib(term.size) for term in phase.terms}
            for phase in sizes.phases
        },
    )


def _store(sizes: Storage) -> Store:
    return Store(
        checkpoint=_gib(sizes.checkpoint),
        states=_gib(sizes.state),
        written=sizes.written,
        kept=sizes.kept,
        exported=_gib(sizes.exported),
        total=_gib(sizes.store),
        node=_gib(sizes.node),
    )


def _gib(size: float) -> float:
    return round(size / GIB, 2)
