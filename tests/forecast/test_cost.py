"""Money: by the table, on the candidates of a spec, and nothing where no price is known."""

import pytest

from runner.forecast.cost import PRICES, Cost, cost
from runner.forecast.gpus import GPUS, find, name_of
from runner.forecast.span import Span
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
    assert cost(HOURS, resources) == Cost(low=low, high=high)


@pytest.mark.parametrize("resources", [on(None), on("L4:1"), on("H100:8", ("gcp", True))])
def test_no_price_is_made_up(resources):
    assert cost(HOURS, resources) is None


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
