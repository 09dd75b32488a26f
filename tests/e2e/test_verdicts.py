"""What an exit code hides: every way to end wrongly is told apart, with its reason."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from live_registry import LiveRegistry, script_spec
from typed_command import Answer

REWARD = "reward: reward/exact.py:compute_score\n"


class Case(NamedTuple):
    """A spec, and what becomes of its run."""

    spec: str
    outcome: str
    reason: str


CASES = {
    "half": Case(script_spec("--stop-after", 4), "under_trained", "exited 0 after 4 of 8 steps"),
    "constant": Case(
        script_spec("--reward", "constant", more=REWARD),
        "failed",
        "every answer got reward 1.0: the policy has nothing to learn from",
    ),
    "uncalled": Case(
        script_spec(more=REWARD), "failed", "the declared reward function was never called"
    ),
    "crash": Case(
        script_spec("--crash-at", 3),
        "failed",
        "failed at step 3 of 8: ArithmeticError: the ninth wave",
    ),
    "nan": Case(script_spec("--nan-from", 6), "failed", "`train/loss` is nan at step 8"),
    # Nothing at all was written: how far it came is as unknown as what it measured.
    "silent": Case(script_spec("--silent"), "under_trained", "exited 0 after 0 of 8 steps"),
    "unsaved": Case(
        script_spec(training=", save_every: 4"),
        "failed",
        "no checkpoint was found",
    ),
    "refuted": Case(
        script_spec(more="seeds: [2]\nexpect: [{reward/mean: last > 5}]\n"), "succeeded", ""
    ),
    "good": Case(script_spec(), "succeeded", ""),
}


@pytest.fixture(scope="module")
def judged(make_registry) -> tuple[LiveRegistry, Answer]:
    registry = make_registry()
    registry.merge({name: case.spec for name, case in CASES.items()})
    return registry, registry.runner("apply", "--wait", "--json")


@pytest.fixture
def registry(judged: tuple[LiveRegistry, Answer]) -> LiveRegistry:
    return judged[0]


@pytest.mark.parametrize("name", CASES)
def test_each_ends_with_its_own_reason(registry, name):
    attempt, case = registry.attempt(name), CASES[name]
    assert (attempt["outcome"], attempt["reason"]) == (case.outcome, case.reason)


@pytest.mark.parametrize("name", set(CASES) - {"good", "refuted"})
def test_each_failure_names_a_cure_on_its_page_and_in_its_status(registry, name):
    run_id, attempt = registry.run(name)["run_id"], registry.attempt(name)
    assert attempt["cure"]
    page = registry.ledger(f"runs/{run_id[:2]}/{run_id}/README.md").replace("\\", "")
    assert attempt["cure"] in page
    status = json.loads(registry.ledger(f"experiments/{name}/status.json"))
    assert status["state"] == "failure"
    assert attempt["reason"] in status["description"]


def test_the_line_that_decided_is_on_the_page(registry):
    assert "ArithmeticError: the ninth wave" in registry.ledger("experiments/crash/README.md")


def test_what_is_no_number_stays_visible_in_the_store(registry):
    rows = (registry.store("nan") / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(row)["metrics"]["train/loss"] for row in rows]
    assert losses[5:] == [None, None, None]
    assert None not in losses[:5]


def test_a_failed_expectation_is_a_failure_of_a_run_that_succeeded(judged):
    registry, answer = judged
    assert answer.code == 5
    assert registry.attempt("refuted")["outcome"] == "succeeded"
    status = json.loads(registry.ledger("experiments/refuted/status.json"))
    assert status["state"] == "failure"
    wanted = "trained, but reward/mean last > 5 does not hold: "
    assert status["description"].startswith(wanted)


def test_json_says_what_became_of_each_action(judged):
    registry, answer = judged
    actions = {action["experiment"]: action for action in answer.json["actions"]}
    assert set(actions) == set(CASES)
    assert actions["good"]["job"] in registry.jobs
    assert actions["good"]["error"] is None


def test_ended_runs_are_kept_with_the_command_that_tries_again(registry):
    answer = registry.succeed("plan", "--json")
    reasons = {action["experiment"]: action["reason"] for action in answer.json["actions"]}
    run_id = registry.run("crash")["run_id"]
    assert reasons["crash"].endswith(f"runner retry {run_id}")
    told = registry.succeed("apply").err.splitlines()
    assert told[0] == "Nothing to do: 9 runs as planned"
    assert f"  keep     crash: {reasons['crash']}" in told


def test_a_refused_spec_blocks_itself_alone(make_registry):
    registry = make_registry()
    registry.merge({"good": script_spec(), "broken": script_spec(more="rewrad: x\n")})
    answer = registry.runner("apply", "--wait")
    assert answer.code == 1
    assert "rewrad" in answer.err
    assert registry.attempt("good")["outcome"] == "succeeded"


def test_a_fault_outside_is_no_failure_and_is_tried_again(make_registry):
    registry = make_registry()
    registry.merge({"good": script_spec()})
    config = registry.root / ".dvc" / "config"
    registry.merge({".dvc/config": config.read_text().replace('"data"', '"moved"')})
    answer = registry.runner("apply", "--wait")
    assert answer.code == 3
    assert "DVC has no remote `data`" in answer.err
    assert "runner apply   tries again" in answer.err
    assert registry.attempt("good")["state"] == "claimed"
    nonce = registry.attempt("good")["nonce"]
    registry.merge({".dvc/config": config.read_text().replace('"moved"', '"data"')})
    registry.succeed("apply", "--wait")
    assert registry.attempt("good")["outcome"] == "succeeded"
    assert registry.attempt("good")["nonce"] == nonce
    assert len(registry.jobs) == 1


def test_each_file_judges_its_runs_by_what_it_expects_also_when_that_is_edited(make_registry):
    registry = make_registry()
    low, high = "expect: [{reward/mean: last > -5}]\n", "expect: [{reward/mean: last > 500}]\n"
    registry.merge({"low": script_spec(more=low), "high": script_spec(more=high)})
    registry.runner("apply", "--wait")
    assert registry.run("low")["run_id"] == registry.run("high")["run_id"]
    states = {name: status(registry, name)["state"] for name in ("low", "high")}
    assert states == {"low": "success", "high": "failure"}

    registry.merge({"low": script_spec(more=high), "high": script_spec(more=low)})
    assert "Nothing to do" in registry.succeed("apply").err
    states = {name: status(registry, name)["state"] for name in ("low", "high")}
    assert states == {"low": "failure", "high": "success"}
    assert "last > 500" in registry.ledger("experiments/low/README.md")


def test_a_renamed_experiment_has_its_page_at_once(make_registry):
    registry = make_registry()
    registry.merge({"old": script_spec()})
    registry.succeed("apply", "--wait")
    registry.git("mv", "experiments/old.yaml", "experiments/new.yaml")
    registry.merge({"notes.md": "renamed\n"})
    registry.succeed("apply")
    assert status(registry, "new")["state"] == "success"
    assert "succeeded" in registry.ledger("experiments/new/README.md")


def status(registry: LiveRegistry, name: str):
    return json.loads(registry.ledger(f"experiments/{name}/status.json"))
