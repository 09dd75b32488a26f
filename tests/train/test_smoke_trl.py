"""The smoke experiments of TRL, each really trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_misbehaviour import kill_everything, left_of, record, wait_for_step

SMOKE = Path(__file__).resolve().parents[2] / "experiments" / "smoke" / "trl"


def train(demo, *names):
    """Merge these experiments, train them, and return the records of their runs by name."""
    folder = demo.path / "experiments/smoke/trl"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(SMOKE / f"{name}.yaml", folder)
    demo.merge(f"TRL: {', '.join(names)}")
    done = demo.runner("apply", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads(demo.runner("status", "--json").stdout)["runs"]
    mine = {run["experiment"].rpartition("/")[2]: run for run in runs
            if run["experiment"].startswith("smoke/trl/")}  # fmt: skip
    assert {mine[name]["outcome"] for name in names} == {"succeeded"}
    return {name: mine[name] for name in names}


def curves(demo, run):
    demo.git("fetch", "-q")
    path = f"origin/runs:runs/{run['run_id'][:2]}/{run['run_id']}/metrics.json"
    return json.loads(demo.git("show", path))["curves"]


def test_pairs_of_answers_are_told_apart(demo):
    run = train(demo, "dpo")["dpo"]
    assert run["step"] == 40
    found = curves(demo, run)
    assert [step for step, _ in found["preference/accuracy"]] == list(range(1, 41))
    assert run["metrics"]["preference/accuracy"] > 0.5
    assert [step for step, _ in found["val/sums/preference_accuracy"]] == [0, 20, 40]
    page = demo.git("show", "origin/runs:experiments/smoke/trl/dpo/README.md")
    assert "preference/accuracy" in page


@pytest.mark.slow
def test_supervised_training_learns_what_it_learns_with_verl(demo):
    found = curves(demo, train(demo, "sft")["sft"])
    assert found["train/loss"][-1][1] < 1.0 < found["train/loss"][0][1]
    assert found["val/sums/loss"][-1][1] < found["val/sums/loss"][0][1]


@pytest.mark.slow
def test_rewards_rise_and_every_call_is_on_record(demo):
    runs = train(demo, "grpo", "rloo")
    for name, run in runs.items():
        found = curves(demo, run)
        assert [step for step, _ in found["reward/mean"]] == list(range(1, 21))
        page = demo.git("show", f"origin/runs:experiments/smoke/trl/{name}/README.md")
        # 20 steps of 20 prompts with 8 answers each, and 5 rows of validation at steps 0, 10, 20.
        assert "reward called 3,215 times" in page


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_had_been(demo):
    train(demo, "grpo")
    folder = demo.path / "experiments/smoke/trl"
    longer = "training: {steps: 30, save_every: 10, evaluate_every: 30}\nexpect: []\n"
    (folder / "whole.yaml").write_text(f"extends: smoke/trl/grpo\n{longer}")
    demo.merge("A longer run")
    assert demo.runner("apply", "--wait").returncode == 0
    (folder / "killed.yaml").write_text(
        f"extends: smoke/trl/grpo\n{longer}".replace("save_every: 10", "save_every: 4")
    )
    demo.merge("The same, but for how often it saves")
    assert demo.runner("apply").returncode == 0
    run = wait_for_step(demo, "smoke/trl/killed", 10)
    kill_everything(demo, run["job"])
    demo.runner("sync")
    assert record(demo, "smoke/trl/killed")["outcome"] == "lost"
    assert left_of(demo, run["job"]) == []

    again = demo.runner("retry", "smoke/trl/killed", "--wait")
    assert again.returncode == 0, again.stdout + again.stderr
    found = curves(demo, record(demo, "smoke/trl/killed"))["reward/mean"]
    assert [step for step, _ in found] == list(range(1, 31))  # no hole, no step twice
    assert found == curves(demo, record(demo, "smoke/trl/whole"))["reward/mean"]


@pytest.mark.slow
def test_a_repeat_is_the_same_number_for_number(demo):
    train(demo, "grpo")
    done = demo.runner("reproduce", "smoke/trl/grpo", "--require", "bitwise", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "bitwise"
