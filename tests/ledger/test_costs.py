"""What attempts have cost: by place, together, and of a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_values import make_attempt, make_record

from runner.ledger.costs import PlaceCost, budget_left, by_place, total_cost
from runner.ledger.record import Attempt, Stay
from runner.spec.experiment import Experiment


def stay(where: str, hours: float, usd: float | None, *, spot: bool = False) -> Stay:
    return Stay(where=where, seconds=hours * 3600, usd=usd, spot=spot)


def ended(*stays: Stay, cost: float | None = None, launcher: str = "skypilot") -> Attempt:
    return make_attempt(state="ended", stays=stays, cost_usd=cost, launcher=launcher)


def test_costs_are_told_by_place_the_dearest_first():
    one = ended(stay("gcp/us-central1", 0.4, 6.0, spot=True), stay("k8s/pool", 3.1, 60.0))
    two = ended(stay("gcp/us-west1/a", 0.6, 9.0, spot=True), stay("gcp/us-west1/a", 1, None))
    assert by_place([one, two, ended(stay("local", 9, None))]) == (
        PlaceCost("k8s/pool", 3.1, 60.0),
        PlaceCost("gcp spot", pytest.approx(1.0), 15.0),
        PlaceCost("gcp", 1.0, None),
    )


def test_a_budget_is_for_all_attempts_of_a_run():
    spec = Experiment.model_validate(
        {
            "apiVersion": "rollbook/v1",
            "trainer": "script",
            "script": {"command": ["x"], "files": ["x"]},
            "training": {"steps": 1, "prompts_per_step": 1, "learning_rate": 0.1},
            "budget": {"usd_per_run": 100},
        }
    )
    record = make_record("r")
    assert budget_left(spec, None) == budget_left(spec, record) == 100
    promise = {"gpus": 8, "gpu_hours": 8.0, "usd": 24.0, "launcher": "skypilot"}
    started = {"started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T02:00:00Z"}
    attempts = (
        ended(cost=30.5),
        make_attempt(number=2, state="ended", **promise, **started),  # 16 of 8 GPU-hours at $24
        make_attempt(number=3),
    )
    record = record.model_copy(update={"attempts": attempts})
    assert budget_left(spec, record) == 21.5
    assert total_cost(attempts[:2]) == 78.5
    assert total_cost([make_attempt(state="ended", launcher="skypilot", gpus=0, usd=0.0)]) is None
    local = (ended(cost=None, launcher="local"),)
    assert total_cost(local) is None
    assert budget_left(spec, record.model_copy(update={"attempts": local})) == 100
    over = (ended(cost=130.0),)
    assert budget_left(spec, record.model_copy(update={"attempts": over})) == 0
    without = spec.model_copy(update={"budget": None})
    assert budget_left(without, record) is None


places = st.sampled_from(["k8s/pool", "gcp/us-central1", "gcp/us-west1/a", "slurm/lab/gpu"])
many = st.lists(
    st.builds(stay, places, st.floats(0, 100), st.floats(0, 1e4), spot=st.booleans()), max_size=6
)


@given(st.lists(many, max_size=4))
def test_places_add_up_to_the_whole(attempts: list[list[Stay]]) -> None:
    found = by_place(ended(*stays) for stays in attempts)
    every = [one for stays in attempts for one in stays]
    assert sum(one.usd or 0 for one in found) == pytest.approx(sum(one.usd or 0 for one in every))
    hours = sum(one.seconds for one in every) / 3600
    assert sum(one.hours for one in found) == pytest.approx(hours)
    assert len({one.place for one in found}) == len(found)
