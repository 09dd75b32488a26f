"""GRPO really learns: over five seeds, against the same five with a learning rate of 0."""

from __future__ import annotations

import json
import statistics

import pytest

SPEC = """\
extends: smoke/grpo
description: Does the reward rise because of the training, or by itself?
training: {save_every: null, evaluate_every: null, evaluate_before_training: false}
matrix: {grid: {training.learning_rate: [1.0e-3, 0.0]}}
seeds: [1, 2, 3, 4, 5]
expect: []
tracking: {wandb: null}
"""


def rise(demo, run):
    """Mean reward of the last quarter of the steps less that of the first."""
    path = f"origin/runs:runs/{run['run_id'][:2]}/{run['run_id']}/metrics.json"
    curve = json.loads(demo.git("show", path))["curves"]["reward/mean"]
    rewards = [value for _, value in curve]
    assert len(rewards) == 20
    quarter = len(rewards) // 4
    return statistics.mean(rewards[-quarter:]) - statistics.mean(rewards[:quarter])


@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_the_reward_rises_for_five_seeds_of_five_and_not_without_learning(demo, record_property):
    (demo.path / "experiments/smoke/learning.yaml").write_text(SPEC)
    demo.merge("Does it learn?")
    done = demo.runner("apply", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    demo.git("fetch", "-q")
    runs = json.loads(demo.runner("status", "--json").stdout)["runs"]
    mine = [run for run in runs if run["experiment"] == "smoke/learning"]
    learning = [rise(demo, run) for run in mine if run["metrics"]["learning_rate"] > 0]
    still = [rise(demo, run) for run in mine if run["metrics"]["learning_rate"] == 0]
    record_property("rises with learning rate 1e-3", [round(value, 3) for value in learning])
    record_property("rises with learning rate 0", [round(value, 3) for value in still])
    print(f"learning rate 1e-3: {learning}, 0: {still}")
    assert len(learning) == len(still) == 5
    assert all(value > 0 for value in learning)
    assert statistics.mean(still) <= statistics.mean(learning) / 4
