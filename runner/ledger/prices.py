"""What SkyPilot said that nodes cost: `prices.json` on the ledger, kept by sync.

A plan reads it there, without SkyPilot and without secrets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field, ValidationError

from runner.ledger.record import ledger_json
from runner.ledger.snapshot import Snapshot
from runner.spec.infra import is_within
from runner.spec.section import Section

PATH = "prices.json"


class Quote(Section):
    """What one node costs at one place."""

    infra: str
    """As narrow as SkyPilot's answer: a region of a cloud, a Kubernetes context, a partition."""
    accelerators: str
    """On the node, such as `H100:8`."""
    spot: bool = False
    usd_per_hour: float = Field(gt=0)


class PriceList(Section):
    """The prices of one day."""

    taken_at: str
    endpoint: str
    """The API server that was asked."""
    prices: tuple[Quote, ...] = Field(default=(), strict=False)

    def to_json(self) -> bytes:
        """Return the list as prices.json holds it."""
        return ledger_json(self.model_dump(mode="json"))

    @property
    def source(self) -> str:
        """Where the prices are from, in words."""
        return f"prices of SkyPilot's API server on {self.taken_at[:10]}"


class Wanted(NamedTuple):
    """What a price is asked for: nodes of one kind at a candidate's place."""

    infra: str
    """Empty: anywhere."""
    accelerators: str
    spot: bool


def read_prices(snapshot: Snapshot) -> PriceList | None:
    """Return the newest list; None where there is none that this runner can read."""
    content = snapshot.read(PATH)
    try:
        return None if content is None else PriceList.model_validate_json(content)
    except ValidationError:
        return None  # the next sync writes it anew


def quotes_for(prices: Iterable[Quote], wanted: Wanted) -> tuple[Quote, ...]:
    """Return the quotes for the nodes that are `wanted`: of its place's parts, else of its whole.

    A spot price is never taken from an on-demand one, nor the other way round.
    """
    same = [
        quote
        for quote in prices
        if quote.accelerators.lower() == wanted.accelerators.lower() and quote.spot == wanted.spot
    ]
    if not wanted.infra:
        return tuple(same)
    parts = tuple(quote for quote in same if is_within(quote.infra, wanted.infra))
    return parts or tuple(quote for quote in same if is_within(wanted.infra, quote.infra))
