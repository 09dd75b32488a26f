"""A run whose machines are taken away: it goes on by itself, and its metrics are complete."""

from __future__ import annotations

import json

import pytest
from live_registry import wait_until

STEPS = 40
SAVED_EVERY = 5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recovered(make, host):
    """Take the machines away in the middle of a run, and wait for its end."""
    registry = make("preempted")
    training = f", save_every: {SAVED_EVERY}"
    arguments = ("--pause", 1.0, "--save-every", SAVED_EVERY)
    registry.merge({"demo": registry.spec(*arguments, steps=STEPS, training=training)})
    registry.apply()
    # Past a checkpoint that had ten seconds to reach the run store, and before the next one.
    registry.await_in_store("demo", lambda beat: beat["step"] >= 22)
    host.preempt(registry.job("demo"))
    registry.await_end("demo")
    return registry


def test_the_same_attempt_goes_on_as_the_next_epoch_and_succeeds(recovered):
    attempt = recovered.attempt("demo")
    assert (attempt["outcome"], attempt["number"]) == ("succeeded", 1), attempt
    assert recovered.leases("demo") == ["epoch-1", "epoch-2"]


def test_it_goes_on_from_a_checkpoint_of_its_own(recovered):
    second = json.loads(recovered.stored("demo", "metrics.jsonl", epoch=2).splitlines()[0])
    assert 11 <= second["step"] <= STEPS
    assert second["step"] % SAVED_EVERY == 1


def test_its_curve_has_no_hole_and_no_step_twice(recovered):
    run_id = recovered.run("demo")["run_id"]
    kept = json.loads(recovered.ledger(f"runs/{run_id[:2]}/{run_id}/metrics.json"))
    assert [step for step, _ in kept["curves"]["train/loss"]] == list(range(1, STEPS + 1))


def test_recovery_and_lost_steps_are_counted(recovered):
    attempt = recovered.attempt("demo")
    assert len(attempt["stays"]) == 2
    first, second = (
        [
            json.loads(line)["step"]
            for line in recovered.stored("demo", "metrics.jsonl", n).splitlines()
        ]
        for n in (1, 2)
    )
    assert attempt["lost_steps"] == max(first) - min(second) + 1 > 0


def test_nothing_is_left(recovered):
    assert recovered.left(["demo"]) == {}


def test_a_server_that_was_restarted_before_recovers_the_same_attempt(make, host, tmp_path_factory):
    """Its job has another SKYPILOT_TASK_ID then."""
    taken = tmp_path_factory.mktemp("taken") / "away"
    told = taken.with_name("environment")
    registry = make("restarted")
    held = ("--save-every", 2, "--hold-at", 5, "--until", taken, "--told", told)
    registry.merge({"demo": registry.spec(*held, training=", save_every: 2")})
    registry.apply()
    registry.await_in_store("demo", lambda beat: beat["step"] == 5)
    first = json.loads(told.read_text())

    host.script("stop-server")
    host.script("up")
    job = registry.job("demo")
    host.preempt(job)
    wait_until("its machines are taken away", lambda: not host.processes(job))
    taken.touch()
    registry.await_end("demo")
    attempt = registry.attempt("demo")
    assert (attempt["outcome"], attempt["number"]) == ("succeeded", 1), attempt
    assert registry.leases("demo") == ["epoch-1", "epoch-2"]
    assert [line["step"] for line in registry.metrics("demo")] == [1, 2, 3, 4, 5, 5, 6]
    second = json.loads(told.read_text())
    assert first["SKYPILOT_MANAGED_JOB_ID"] == second["SKYPILOT_MANAGED_JOB_ID"]
    assert first["SKYPILOT_TASK_ID"] != second["SKYPILOT_TASK_ID"]
    assert registry.left(["demo"]) == {}
