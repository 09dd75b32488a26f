"""The forecast of a run as lines of text, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.forecast.cost import Cost
from runner.forecast.document import Forecast, Memory, Store
from runner.forecast.span import Span

TELLING_GIB = 1.0
"""Storage below this is nobody's concern."""


def lines(
    forecast: Forecast, gpu_hours: Span | None, cost: Cost | None, launcher: str | None = None
) -> Iterator[str]:
    """Yield time and money, batches, memory and storage; a line each where something is known.

    Through SkyPilot (the `launcher`) the machines are paid for, else their cost is that of others.
    """
    if forecast.hours:
        yield _time(forecast, gpu_hours, cost, launcher)
    elif forecast.basis:
        yield f"time     not known: {forecast.basis}"
    steps = f"{forecast.steps:,} steps; " if forecast.steps is not None else ""
    yield f"batch    {steps}{forecast.batch}"
    if forecast.memory:
        yield f"memory   {_memory(forecast.memory)}"
    if forecast.storage and forecast.storage.total >= TELLING_GIB:
        yield f"storage  {_storage(forecast.storage)}"


def text(low: float, high: float) -> str:
    """Return `67–91`; one number where both read the same."""
    first, last = (f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in (low, high))
    return first if first == last else f"{first}–{last}"


def duration(hours: Span) -> str:
    """Return `4.3–5.3 min` of what takes less than an hour, else `0.75–5.8 h`."""
    if hours.high < 1:
        return f"{text(hours.low * 60, hours.high * 60)} min"
    return f"{text(hours.low, hours.high)} h"


def if_rented(launchers: Iterable[str | None]) -> str:
    """Return what is said behind a cost: nothing where all of it is through SkyPilot."""
    return "" if set(launchers) == {"skypilot"} else " if rented"


def _time(
    forecast: Forecast, gpu_hours: Span | None, cost: Cost | None, launcher: str | None
) -> str:
    hours = forecast.hours
    parts = [duration(hours)] if hours else []
    if gpu_hours:
        parts.append(f"{text(gpu_hours.low, gpu_hours.high)} GPU-h")
    if cost:
        parts.append(f"${text(cost.low, cost.high)}{if_rented([launcher])}")
    prices = f"; {forecast.prices}" if gpu_hours else ""
    return f"time     {', '.join(parts)}; from {forecast.basis}{prices}"


def _memory(memory: Memory) -> str:
    verdict = "fits" if memory.peak <= memory.capacity else "may not fit"
    return (
        f"{verdict}: at most {memory.peak:.0f} of {memory.capacity:.0f} GiB per GPU, in the "
        f"{memory.phase} phase, most of it {memory.largest} (estimated, not measured)"
    )


def _storage(store: Store) -> str:
    many = "" if store.written is None else f"{store.written} "
    told = f"{many}checkpoint{'' if store.written == 1 else 's'} of "
    told += f"{store.checkpoint:.0f} GiB written ({store.states:.0f} of weights and optimizer "
    told += f"states), {store.kept} kept"
    export = f" + {store.exported:.0f} GiB export" if store.exported else ""
    return f"{told}{export} = {store.total:.0f} GiB; a node's disk holds {store.node:.0f}"
