"""What GPU-hours cost: by the catalogs that SkyPilot has fetched here, else by a small table.

The table is of the same catalogs (skypilot-org/skypilot-catalog), read on the date below from the
commits named; prices move. A GPU or a cloud without a row has no price, and none is guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from runner.forecast import gpus
from runner.forecast.catalog import Offer, offers
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


class Priced(NamedTuple):
    """A cost, and where its prices are from."""

    cost: Cost
    source: str


def cost(gpu_hours: Span, resources: Resources, home: Path | None = None) -> Priced | None:
    """Return what `gpu_hours` cost on the candidates, or anywhere; None without a price.

    `home` is whose SkyPilot is asked: by default that of who plans.
    """
    if resources.accelerators is None:
        return None
    name = gpus.name_of(resources.accelerators)
    fetched = offers(name, resources.gpus_per_node, home or Path.home())
    for prices, source in (
        (_prices(fetched, resources), _fetched(fetched)),
        (_prices(_listed(name), resources), f"prices of SkyPilot's catalogs, read {READ}"),
    ):
        if prices:
            low, high = min(one.low for one in prices), max(one.high for one in prices)
            both = Cost(low=round(gpu_hours.low * low, 2), high=round(gpu_hours.high * high, 2))
            return Priced(both, source)
    return None


def _listed(gpu: str) -> tuple[Offer, ...]:
    rows = (price for price in PRICES if price.gpu == gpu)
    return tuple(Offer(p.cloud, p.low, p.high, p.spot, p.spot, READ) for p in rows)


def _fetched(found: tuple[Offer, ...]) -> str:
    days = {offer.read for offer in found}
    return f"prices of the catalogs that SkyPilot fetched here on {max(days)}" if days else ""


def _prices(found: tuple[Offer, ...], resources: Resources) -> list[Span]:
    """Return the price of each candidate of which one is known; of any cloud without candidates."""
    if not resources.candidates:
        return [Span(low=offer.low, high=offer.high) for offer in found]
    return [
        _of(offer, candidate)
        for candidate in resources.candidates
        for offer in found
        if candidate.infra.partition("/")[0].lower() == offer.cloud
    ]


def _of(offer: Offer, candidate: Candidate) -> Span:
    if candidate.spot and offer.spot_low is not None and offer.spot_high is not None:
        return Span(low=offer.spot_low, high=offer.spot_high)
    return Span(low=offer.low, high=offer.high)
