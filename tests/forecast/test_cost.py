"""Money: by the table, on the candidates of a spec, and nothing where no price is known."""

import pytest

from runner.forecast.cost import PRICES, READ, Cost, cost, rates
from runner.forecast.gpus import GPUS, find, name_of
from runner.forecast.span import Span
from runner.ledger.prices import PriceList, Quote
from runner.node.rate import Rate
from runner.spec.resources import Candidate, Resources

HOURS = Span(low=10, high=20)


def on(accelerators: str | None, *candidates: tuple[str, bool]) -> Resources:
    places = tuple(Candidate(infra=infra, spot=spot) for infra, spot in candidates)
    return Resources(accelerators=accelerators, candidates=places)


@pytest.mark.parametrize(
    ("resources", "low", "high"),
    [
        (on("H100:8"), 29.5, 81.8),  # 2.95 on nebius, 4.09 on lambda
        (on("h100:8"), 29.5, 81.8),
        (on("H100:8", ("nebius", False)), 29.5, 59.0),
        (on("H100:8", ("nebius/eu-north1", True)), 12.5, 25.0),
        (on("H100:8", ("nebius", True), ("nebius", False)), 12.5, 59.0),
        (on("H100:8", ("k8s/pool", False), ("lambda", False)), 39.9, 81.8),
        (on("A100:1"), 19.9, 39.8),
    ],
)
def test_hours_cost_what_the_table_says(resources, low, high):
    found = cost(HOURS, resources)
    assert found is not None
    assert found.cost == Cost(low=low, high=high)
    assert found.source == f"prices of SkyPilot's catalogs, read {READ}"


@pytest.mark.parametrize("resources", [on(None), on("L4:1"), on("H100:8", ("gcp", True))])
def test_no_price_is_made_up(resources):
    assert cost(HOURS, resources) is None


HEADER = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,GpuInfo,SpotPrice"
)
CATALOG = {
    "v7/gcp": [HEADER, "old,H100,8,1,1,1.0,us,,"],
    "v8/gcp": [
        HEADER,
        "a3,H100,8,208,1872,80.0,us-central1,\"{'Gpus': [{'Name': 'H100', 'Count': 8}]}\",24.0",
        "a3,H100,8.0,208,1872,96.0,europe-west4,,32.0",
        "a3-small,H100,1,26,234,11.0,us-central1,,",
        "a3-new,H100,8,208,1872,,us-east1,,",
        "n2,,,8,32,0.3,us-central1,,",
        "a2,A100,8,96,680,30.0,us-central1,,",
    ],
    "v8/nebius": [HEADER, "gpu-h100,H100,8,128,1600,24.0,eu-north1,,10.0"],
    "v8/broken": ["", "x,H100"],
    "v8/common": [],
}


@pytest.fixture
def home(tmp_path):
    for folder, lines in CATALOG.items():
        place = tmp_path / ".sky/catalogs" / folder
        place.mkdir(parents=True)
        (place / "vms.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize(
    ("resources", "low", "high"),
    [
        (on("H100:8"), 30.0, 240.0),  # 24 / 8 on nebius to 96 / 8 on gcp
        (on("h100:8", ("gcp", False)), 100.0, 240.0),
        (on("H100:8", ("gcp/us-central1", True)), 30.0, 80.0),
        (on("H100:1"), 110.0, 220.0),
    ],
)
def test_catalogs_that_skypilot_has_fetched_come_first(home, resources, low, high):
    found = cost(HOURS, resources, home=home)
    assert found is not None
    assert found.cost == Cost(low=low, high=high)
    assert found.source.startswith("prices of the catalogs that SkyPilot fetched here on 20")


def test_what_they_do_not_have_comes_from_the_table(home):
    for resources in (on("H200:8"), on("H100:8", ("lambda", False))):
        found = cost(HOURS, resources, home=home)
        assert found is not None
        assert READ in found.source
    assert cost(HOURS, on("L4:1", ("gcp", False)), home=home) is None


def test_every_price_is_of_a_known_gpu_and_has_a_source():
    for price in PRICES:
        assert price.gpu in GPUS
        assert 0 < price.low <= price.high
        assert price.spot is None or price.spot < price.low
        assert " at " in price.source


def test_accelerators_are_found_by_any_case():
    assert find("a100-80gb:8") == GPUS["A100-80GB"]
    assert (find("TPU-v6e:8"), find(None)) == (None, None)
    assert (name_of("h200:1"), name_of("TPU-v6e:8")) == ("H200", "TPU-v6e")


def quoted(*rows):
    prices = tuple(
        Quote(infra=infra, accelerators=kind, spot=spot, usd_per_hour=usd)
        for infra, kind, spot, usd in rows
    )
    return PriceList(taken_at="2026-11-20T04:00:00Z", endpoint="skypilot:x", prices=prices)


OWN = quoted(
    ("k8s/pool", "H100:8", False, 16.0),
    ("gcp/us-central1", "H100:8", True, 20.0),
    ("gcp/europe-west4", "H100:8", True, 28.0),
    ("gcp/us-central1", "H100:8", False, 88.0),
    ("gcp/us-central1", "H100:1", False, 11.0),
)
SAID = "prices of SkyPilot's API server on 2026-11-20"


@pytest.mark.parametrize(
    ("resources", "low", "high"),
    [
        (on("H100:8", ("k8s/pool", False)), 20.0, 40.0),
        (on("h100:8", ("k8s/pool", False), ("gcp", True)), 20.0, 70.0),
        (on("H100:8", ("gcp/us-central1/us-central1-a", True)), 25.0, 50.0),
        (on("H100:1", ("gcp", False)), 110.0, 220.0),
        (on("H100:8"), 20.0, 220.0),  # anywhere: on demand alone
    ],
)
def test_what_skypilot_said_comes_first(home, resources, low, high):
    found = cost(HOURS, resources, OWN, home)
    assert found is not None
    assert found.cost == Cost(low=low, high=high)
    assert (found.source, found.unknown) == (SAID, ())


def test_each_candidate_has_the_first_source_that_knows_it(home):
    resources = on("H100:8", ("k8s/pool", False), ("gcp", False), ("lambda", False), ("ssh", False))
    found = cost(HOURS, resources, quoted(("k8s/pool", "H100:8", False, 16.0)), home)
    assert found is not None
    assert found.cost == Cost(low=20.0, high=240.0)
    said, fetched, table = found.source.split("; ")
    assert said == SAID
    assert fetched.startswith("prices of the catalogs that SkyPilot fetched here on 20")
    assert table == f"prices of SkyPilot's catalogs, read {READ}"
    assert found.unknown == ("ssh",)


def test_a_spot_price_is_never_taken_for_one_on_demand(tmp_path):
    spot = quoted(("k8s/pool", "H100:8", True, 16.0))
    assert cost(HOURS, on("H100:8", ("k8s/pool", False)), spot, tmp_path) is None
    assert cost(HOURS, on("H100:8", ("k8s/pool", True)), spot, tmp_path) is not None


def test_rates_are_of_the_open_candidates_and_never_too_low(home):
    resources = on("H100:8", ("k8s/pool", False), ("gcp", True), ("nebius", False))
    pool = Rate(infra="k8s/pool", usd_per_hour=16.0)
    assert rates(resources, 1, OWN, home) == (pool,)
    assert rates(resources, 3, OWN, home) == (
        pool,
        Rate(infra="gcp/us-central1", spot=True, usd_per_hour=20.0),
        Rate(infra="gcp/europe-west4", spot=True, usd_per_hour=28.0),
        Rate(infra="nebius", usd_per_hour=24.0),
    )
    # Without the team's own prices the dearest region of the catalog counts.
    assert rates(resources, 2, None, home) == (Rate(infra="gcp", spot=True, usd_per_hour=32.0),)
    assert rates(on(None, ("gcp", False)), 1, OWN, home) == ()
