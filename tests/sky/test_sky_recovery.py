"""A run whose machines are taken away: it goes on by itself, and its metrics are complete."""

from __future__ import annotations

import pytest

STEPS = 30


@pytest.fixture(scope="module")
def recovered(make, host):
    """Take the machines away in the middle of a run, and wait for its end."""
    registry = make("preempted")
    saving = {"steps": STEPS, "training": ", save_every: 5"}
    registry.merge({"demo": registry.spec("--pause", 0.5, "--save-every", 5, **saving)})
    registry.apply()
    registry.await_in_store("demo", lambda beat: beat["step"] >= 12)
    registry.succeed("sync")
    host.preempt(registry.job("demo"))
    registry.await_end("demo")
    return registry


@pytest.mark.slow
def test_a_preempted_run_is_recovered_by_the_same_job(recovered):
    attempt = recovered.attempt("demo")
    assert attempt["outcome"] == "succeeded"
    assert attempt["number"] == 1
    assert recovered.leases("demo") == ["epoch-1", "epoch-2"]


@pytest.mark.slow
def test_its_metrics_have_no_hole_and_no_step_twice(recovered):
    page = recovered.succeed("show", "demo", "--json").json
    assert page
    curves = recovered.ledger_json("demo", "metrics.json")
    assert curves


@pytest.mark.slow
def test_recoveries_and_lost_steps_are_counted(recovered):
    attempt = recovered.attempt("demo")
    assert attempt["recoveries"] == 1
    assert attempt["lost_steps"] >= 2


@pytest.mark.slow
def test_nothing_is_left_of_it(recovered):
    assert recovered.left(["demo"]) == {}
