"""What GPU-hours cost, from a small table of prices.

Prices are those of SkyPilot's catalogs (skypilot-org/skypilot-catalog), read on the date below from
the commits named; they move. A GPU without a row has no price here, and none is guessed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from runner.forecast import gpus
from runner.forecast.span import Span
from runner.spec.resources import Candidate, Resources
from runner.spec.section import Section

READ = "2026-11-21"
NEBIUS = "catalogs/v8/nebius/vms.csv at 0082b043"
LAMBDA = "catalogs/v8/lambda/vms.csv at 0f407038"
RUNPOD = "catalogs/v7/runpod/vms.csv at 0727c2bd"


class Price(NamedTuple):
    """US dollars for one GPU for an hour, with its part of the machine."""

    gpu: str
    cloud: str
    low: float
    high: float
    """Dearest machine with this GPU."""
    spot: float | None
    source: str


PRICES = (
    Price("A10", "lambda", 1.29, 1.29, None, LAMBDA),
    Price("A100", "lambda", 1.99, 1.99, None, LAMBDA),
    Price("A100-80GB", "runpod", 1.62, 1.64, 1.19, RUNPOD),
    Price("A100-80GB-SXM", "runpod", 1.89, 1.89, None, RUNPOD),
    Price("A6000", "lambda", 1.09, 1.09, None, LAMBDA),
    Price("B200", "lambda", 6.69, 6.99, None, LAMBDA),
    Price("B200", "nebius", 5.50, 5.50, None, NEBIUS),
    Price("GH200", "lambda", 2.29, 2.29, None, LAMBDA),
    Price("H100", "lambda", 3.99, 4.09, None, LAMBDA),
    Price("H100", "nebius", 2.95, 2.95, 1.25, NEBIUS),
    Price("H200", "nebius", 3.50, 3.50, 1.45, NEBIUS),
    Price("L40S", "nebius", 1.5484, 2.7516, None, NEBIUS),
    Price("V100", "lambda", 0.79, 0.79, None, LAMBDA),
)


class Cost(Section):
    """What a run costs, if its GPUs are rented."""

    low: float
    high: float
    currency: Literal["USD"] = "USD"


def cost(gpu_hours: Span, resources: Resources) -> Cost | None:
    """Return what `gpu_hours` cost on the candidates, or anywhere; None without a price."""
    prices = _prices(resources)
    if not prices:
        return None
    low, high = min(price.low for price in prices), max(price.high for price in prices)
    return Cost(low=round(gpu_hours.low * low, 2), high=round(gpu_hours.high * high, 2))


def _prices(resources: Resources) -> list[Span]:
    """Return the price of each candidate of which one is known; of any cloud without candidates."""
    if resources.accelerators is None:
        return []
    name = gpus.name_of(resources.accelerators)
    rows = [price for price in PRICES if price.gpu == name]
    if not resources.candidates:
        return [Span(low=price.low, high=price.high) for price in rows]
    return [
        _of(price, candidate)
        for candidate in resources.candidates
        for price in rows
        if candidate.infra.partition("/")[0].lower() == price.cloud
    ]


def _of(price: Price, candidate: Candidate) -> Span:
    if candidate.spot and price.spot is not None:
        return Span(low=price.spot, high=price.spot)
    return Span(low=price.low, high=price.high)
