"""Real training that goes wrong: killed in the middle, with a reward that teaches nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from runner.node import shared_memory
from runner.node.job import marked_processes, temporary_folder

DEADLINE = 600.0


def record(demo, experiment):
    runs = json.loads(demo.runner("status", "--json").stdout)["runs"]
    return next(run for run in runs if run["experiment"] == experiment)


def wait_for_step(demo, experiment, step):
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        run = record(demo, experiment)
        if run["step"] >= step:
            return run
        assert run["state"] != "ended", run
        time.sleep(1)
    raise AssertionError(f"{experiment} has not reached step {step} in {DEADLINE} s")


def kill_everything(demo, job):
    """SIGKILL the node program first, then whatever carries its marker."""
    about = json.loads((demo.path / ".rollbook/local" / job / "process.json").read_text())
    os.kill(about["pid"], signal.SIGKILL)
    for process in marked_processes(job):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def left_of(demo, job):
    folder = demo.path / ".rollbook/local" / job
    found = [process.name() for process in marked_processes(job)]
    scratch = list((demo.path / ".rollbook/scratch").glob(f"{job}*"))
    temporary = [temporary_folder(job)] if temporary_folder(job).exists() else []
    weights = list(Path("/dev/shm").glob("verl_weights_*"))
    return [*found, *shared_memory.left(folder), *scratch, *temporary, *weights]


def test_a_killed_supervised_run_is_told_truly_and_goes_on_from_its_checkpoint(demo):
    spec = "extends: smoke/sft\ntraining: {save_every: 40, learning_rate: 2.0e-3}\nexpect: []\n"
    (demo.path / "experiments/smoke/killed.yaml").write_text(spec)
    demo.merge("A run that will be killed")
    assert demo.runner("apply").returncode == 0
    run = wait_for_step(demo, "smoke/killed", 60)
    kill_everything(demo, run["job"])
    demo.runner("sync")
    lost = record(demo, "smoke/killed")
    assert (lost["state"], lost["outcome"]) == ("ended", "lost")
    assert lost["step"] >= 60
    assert left_of(demo, run["job"]) == []

    again = demo.runner("retry", "smoke/killed", "--wait")
    assert again.returncode == 0, again.stdout + again.stderr
    done = record(demo, "smoke/killed")
    assert (done["outcome"], done["step"], done["attempt"]) == ("succeeded", 150, 2)
    folder = demo.path / ".rollbook/store/runs" / run["run_id"][:2] / run["run_id"]
    lines = (folder / "a2/epoch-1/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["step"] > 40  # it went on from a checkpoint


@pytest.mark.slow
def test_a_killed_reinforcement_run_leaves_nothing_behind(demo):
    spec = (
        "extends: smoke/grpo\ntraining: {save_every: 5, learning_rate: 9.0e-4}\n"
        "expect: []\ntracking: {wandb: null}\n"
    )
    (demo.path / "experiments/smoke/killed-grpo.yaml").write_text(spec)
    demo.merge("A GRPO run that will be killed")
    assert demo.runner("apply").returncode == 0
    run = wait_for_step(demo, "smoke/killed-grpo", 7)
    kill_everything(demo, run["job"])
    demo.runner("sync")
    assert record(demo, "smoke/killed-grpo")["outcome"] == "lost"
    assert left_of(demo, run["job"]) == []

    again = demo.runner("retry", "smoke/killed-grpo", "--wait")
    assert again.returncode == 0, again.stdout + again.stderr
    done = record(demo, "smoke/killed-grpo")
    assert (done["outcome"], done["step"], done["attempt"]) == ("succeeded", 20, 2)
    steps = [step for step, _ in metrics(demo, done)["reward/mean"]]
    assert steps == list(range(1, 21))  # no hole, no step twice


def metrics(demo, run):
    demo.git("fetch", "-q")
    path = f"origin/runs:runs/{run['run_id'][:2]}/{run['run_id']}/metrics.json"
    return json.loads(demo.git("show", path))["curves"]


@pytest.mark.slow
def test_a_constant_reward_fails_the_run(demo):
    reward = "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
    (demo.path / "reward/constant.py").write_text(f"{reward}    return 0.5\n")
    spec = (
        "extends: smoke/grpo\nreward: reward/constant.py:compute_score\n"
        "training: {steps: 2, save_every: 2, evaluate_every: 2}\n"
        "expect: []\ntracking: {wandb: null}\n"
    )
    (demo.path / "experiments/smoke/constant.yaml").write_text(spec)
    demo.merge("A reward that teaches nothing")
    done = demo.runner("apply", "--wait")
    run = record(demo, "smoke/constant")
    assert (done.returncode, run["outcome"]) == (5, "failed")
    assert "reward" in run["reason"]
    assert "0.5" in run["reason"]
