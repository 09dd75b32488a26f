"""What GPU-hours cost, by candidate: the first of these that knows it, and nothing is guessed.

1. prices.json on the ledger: what the team's own SkyPilot said;
2. the catalogs that SkyPilot has fetched here;
3. a small table of the same catalogs (skypilot-org/skypilot-catalog), read on the date below from
   the commits named; prices move.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Literal, NamedTuple

from runner.forecast import gpus
from runner.forecast.catalog import Offer, offers
from runner.forecast.span import Span
from runner.ledger.prices import PriceList, Quote, Wanted, quotes_for
from runner.node.rate import Rate
from runner.spec.infra import is_within
from runner.spec.resources import Candidate, Resources

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

_FETCHED = "prices of the catalogs that SkyPilot fetched here on"
_READ = "prices of SkyPilot's catalogs, read"


class Cost(NamedTuple):
    """What a run costs, if its GPUs are rented."""

    low: float
    high: float
    currency: Literal["USD"] = "USD"


class Priced(NamedTuple):
    """A cost, and where its prices are from."""

    cost: Cost
    source: str
    unknown: tuple[str, ...] = ()
    """Candidates without a known price, by their `infra`: the cost is that of the others."""


class NodePrice(NamedTuple):
    """US dollars for one node for an hour at one place."""

    infra: str
    spot: bool
    low: float
    high: float
    source: str


def cost(
    gpu_hours: Span,
    resources: Resources,
    quoted: PriceList | None = None,
    home: Path | None = None,
) -> Priced | None:
    """Return what `gpu_hours` cost on the candidates, or anywhere; None without a price.

    `quoted` is the ledger's list. `home` is whose SkyPilot is asked: by default that of who plans.
    """
    if not resources.gpus_per_node:
        return None
    candidates = resources.candidates or (None,)
    found = [_node_prices(candidate, resources, quoted, home) for candidate in candidates]
    prices = [price for one in found for price in one]
    if not prices:
        return None
    low = gpu_hours.low * min(price.low for price in prices) / resources.gpus_per_node
    high = gpu_hours.high * max(price.high for price in prices) / resources.gpus_per_node
    source = "; ".join(dict.fromkeys(price.source for price in prices))
    unknown = (one.infra for one, known in zip(candidates, found, strict=True) if one and not known)
    both = Cost(low=round(low, 2), high=round(high, 2))
    return Priced(both, source, tuple(dict.fromkeys(unknown)))


def rates(
    resources: Resources,
    open_candidates: int,
    quoted: PriceList | None = None,
    home: Path | None = None,
) -> tuple[Rate, ...]:
    """Return what a node costs on the first `open_candidates`: where a price spans, the dearest.

    A ceiling is kept by them, so that they must not be too low.
    """
    candidates = resources.candidates[:open_candidates] or (None,)
    found = (p for one in candidates for p in _node_prices(one, resources, quoted, home))
    every = (Rate(infra=one.infra, spot=one.spot, usd_per_hour=one.high) for one in found)
    return tuple(dict.fromkeys(every))


def _node_prices(
    candidate: Candidate | None,
    resources: Resources,
    quoted: PriceList | None,
    home: Path | None,
) -> list[NodePrice]:
    """Return the prices at one candidate's place, or anywhere, of the first source that has one."""
    if resources.accelerators is None:
        return []
    infra, spot = (candidate.infra, candidate.spot) if candidate else ("", False)
    most = candidate.max_usd_per_hour if candidate and candidate.max_usd_per_hour else inf
    wanted = Wanted(infra, resources.accelerators, spot)
    if quoted and (quotes := quotes_for(quoted.prices, wanted)):
        found = (_of_quote(quote, quoted.source) for quote in quotes)
        return [price for price in found if price.low <= most]
    name, count = gpus.name_of(resources.accelerators), resources.gpus_per_node
    for offered, source in (
        (offers(name, count, home or Path.home()), _FETCHED),
        (_listed(name), _READ),
    ):
        here = [offer for offer in offered if not infra or is_within(infra, offer.cloud)]
        if here:
            prices = (_of_offer(offer, wanted, count, source) for offer in here)
            return [p._replace(high=min(p.high, most)) for p in prices if p.low <= most]
    return []


def _of_quote(quote: Quote, source: str) -> NodePrice:
    return NodePrice(quote.infra, quote.spot, quote.usd_per_hour, quote.usd_per_hour, source)


def _of_offer(offer: Offer, wanted: Wanted, count: int, source: str) -> NodePrice:
    """Return an offer of a cloud as the price of a node; on demand where it has no spot price."""
    low, high = offer.low, offer.high
    if wanted.spot and offer.spot_low is not None and offer.spot_high is not None:
        low, high = offer.spot_low, offer.spot_high
    told, place = f"{source} {offer.read}", wanted.infra or offer.cloud
    return NodePrice(place, wanted.spot, low * count, high * count, told)


def _listed(gpu: str) -> tuple[Offer, ...]:
    rows = (price for price in PRICES if price.gpu == gpu)
    return tuple(Offer(p.cloud, p.low, p.high, p.spot, p.spot, READ) for p in rows)
