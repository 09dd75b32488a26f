"""Prices: what is asked for, what is made of the answers, and how often it is asked.

The rows are as a real API server gave them: of a Slurm with `pricing`, and of a cloud's catalog.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository

from runner.errors import OutsideError
from runner.launchers.skypilot import prices
from runner.launchers.skypilot.prices import Question, ask, keep_prices, questions
from runner.launchers.skypilot.records import About, Offer
from runner.ledger.draft import Draft
from runner.ledger.prices import PATH, PriceList, Quote, read_prices
from runner.spec.resources import Candidate, Resources

SLURM = tuple(Offer("main*", n, 2.5 * n, 2.5 * n) for n in (1, 2, 4))
CLOUD = (
    Offer("us-central1", 8, 88.5, 22.5),
    Offer("us-central1", 8, 90.5, 21.0),
    Offer("europe-west4", 8, 96.5, nan),
)
ANSWERS = {
    ("slurm", "virtual"): SLURM,
    ("slurm", None): SLURM,
    ("kubernetes", "arn:aws:eks:x:cluster/pool"): (Offer("arn:aws:eks:x:cluster/pool", 1, 0, 0),),
    ("gcp", None): CLOUD,
    ("gcp", "us-central1"): CLOUD[:2],
}


class Server:
    """Answers as an API server does."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, str, int | None]] = []
        self.away: set[str] = set()

    def offers(
        self, cloud: str, region: str | None, accelerator: str, count: int | None, seconds: float
    ) -> tuple[Offer, ...]:
        self.asked.append((cloud, region, accelerator, count))
        if cloud in self.away or seconds <= 0:
            raise OutsideError(f"{cloud} does not answer")
        return ANSWERS.get((cloud, region), ())

    def about(self) -> About:
        return About("0.14.1", "", ("GCP", "slurm/virtual"))


def quote(infra: str, accelerators: str, usd: float, *, spot: bool = False) -> Quote:
    return Quote(infra=infra, accelerators=accelerators, spot=spot, usd_per_hour=usd)


def both(infra: str, accelerators: str, usd: float) -> tuple[Quote, ...]:
    return tuple(quote(infra, accelerators, usd, spot=spot) for spot in (False, True))


@pytest.mark.parametrize(
    ("infra", "accelerators", "expected"),
    [
        ("slurm/virtual", "H100:4", both("slurm/virtual/main", "H100:4", 10.0)),
        ("slurm/virtual/main", "H100:3", both("slurm/virtual/main", "H100:3", 7.5)),
        ("slurm/virtual/other", "H100:4", ()),
        ("slurm", "H100:4", both("slurm", "H100:4", 10.0)),
        ("k8s/arn:aws:eks:x:cluster/pool", "H100:8", ()),  # nobody has set a price
        ("gcp", "H100:8", (
            quote("gcp/europe-west4", "H100:8", 96.5),
            quote("gcp/us-central1", "H100:8", 88.5),
            quote("gcp/us-central1", "H100:8", 21.0, spot=True),
        )),
        ("gcp/us-central1/us-central1-a", "H100:8", (
            quote("gcp/us-central1", "H100:8", 88.5),
            quote("gcp/us-central1", "H100:8", 21.0, spot=True),
        )),
        ("", "H100:8", (
            quote("gcp/europe-west4", "H100:8", 96.5),
            quote("gcp/us-central1", "H100:8", 88.5),
            quote("gcp/us-central1", "H100:8", 21.0, spot=True),
            *both("slurm", "H100:8", 20.0),
        )),
    ],
)  # fmt: skip
def test_an_answer_becomes_the_price_of_a_node(infra, accelerators, expected):
    assert ask(Server(), [Question(infra, accelerators)]) == expected


def test_a_place_that_does_not_answer_has_no_price_and_costs_the_others_nothing():
    server = Server()
    server.away = {"slurm"}
    asked = [Question("slurm/virtual", "H100:4"), Question("gcp/us-central1", "H100:8")]
    assert {one.infra for one in ask(server, asked)} == {"gcp/us-central1"}
    server.away = {"slurm", "gcp"}
    with pytest.raises(OutsideError, match="gcp does not answer"):
        ask(server, asked)


def test_each_place_and_accelerator_of_the_specs_is_asked_for_once():
    places = (
        Candidate(infra="k8s/pool"),
        Candidate(infra="gcp"),
        Candidate(infra="gcp", spot=True),
    )
    specs = [
        Resources(accelerators="H100:8", candidates=places),
        Resources(accelerators="H100:8", candidates=places[:1]),
        Resources(accelerators="A100:1"),
        Resources(candidates=places),
    ]
    assert questions(specs) == (
        Question("k8s/pool", "H100:8"),
        Question("gcp", "H100:8"),
        Question("", "A100:1"),
    )


SPECS = {
    "experiments/a.yaml": f"{SPEC}resources: {{accelerators: 'H100:8', "
    "candidates: [{infra: gcp/us-central1}]}\n"
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setattr(prices, "Client", lambda: server)
    return server


@pytest.fixture
def registry(make_repository: MakeRepository) -> PlannedRegistry:
    return PlannedRegistry.with_files(make_repository(), SPECS)


def test_prices_are_kept_on_the_ledger_and_asked_for_once_a_day(registry, server):
    keep_prices(registry.workspace, "skypilot:here")
    kept = read_prices(registry.workspace.ledger.snapshot())
    assert kept is not None
    assert (kept.endpoint, len(kept.prices)) == ("skypilot:here", 2)
    assert kept.source == f"prices of SkyPilot's API server on {kept.taken_at[:10]}"
    again(registry)
    keep_prices(registry.workspace, "skypilot:here")
    assert len(server.asked) == 1

    old = (datetime.now(UTC) - timedelta(days=1, minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    put(registry, kept.model_copy(update={"taken_at": old}).to_json())
    again(registry)
    keep_prices(registry.workspace, "skypilot:here")
    assert len(server.asked) == 2


def test_a_server_that_is_away_is_tried_again_later_and_keeps_what_is_known(registry, server):
    server.away = {"gcp"}
    keep_prices(registry.workspace, "skypilot:here")
    keep_prices(registry.workspace, "skypilot:here")
    assert len(server.asked) == 1
    assert read_prices(registry.workspace.ledger.snapshot()) is None
    again(registry)
    server.away = set()
    keep_prices(registry.workspace, "skypilot:here")
    assert read_prices(registry.workspace.ledger.snapshot()) is not None


def test_a_list_that_cannot_be_read_is_none(registry, server):
    put(registry, json.dumps({"prices": 1}).encode())
    assert read_prices(registry.workspace.ledger.snapshot()) is None
    keep_prices(registry.workspace, "skypilot:here")
    assert isinstance(read_prices(registry.workspace.ledger.snapshot()), PriceList)


def again(registry: PlannedRegistry) -> None:
    """Let the last try be longer ago than the pause."""
    tried: Path = registry.workspace.state / "prices-tried"
    past = time.time() - prices.AGAIN_SECONDS - 1
    os.utime(tried, (past, past))


def put(registry: PlannedRegistry, content: bytes) -> None:
    registry.workspace.ledger.transact(lambda now: Draft(now).put(PATH, content).changes("Put"))
