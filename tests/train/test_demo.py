"""The demo, as a new user plays it: trained for real, then looked at, changed and repeated."""

from __future__ import annotations

import json
import re
import time

import yaml

from runner.node import shared_memory
from runner.node.job import marked_processes, temporary_folder


def plan(demo, *arguments):
    done = demo.runner("plan", "--json", *arguments)
    return {action["experiment"]: action for action in json.loads(done.stdout)["actions"]}


def record(demo, experiment):
    runs = json.loads(demo.runner("status", "--json").stdout)["runs"]
    return next(run for run in runs if run["experiment"] == experiment)


def test_two_experiments_are_trained_and_succeed(demo):
    assert demo.first.returncode == 0, demo.first.stdout + demo.first.stderr
    assert record(demo, "smoke/sft")["outcome"] == "succeeded"
    grpo = record(demo, "smoke/grpo")
    assert (grpo["outcome"], grpo["step"]) == ("succeeded", 20)


def test_the_report_says_what_was_learned_and_why_to_believe_it(demo):
    demo.git("fetch", "-q")
    page = demo.git("show", "origin/runs:experiments/smoke/grpo/README.md")
    assert "reward/mean" in page
    assert "**Validation**: `val/sums/accuracy` " in page
    assert "20 of 20" in page
    assert re.search(r"reward called 3,2\d\d times", page)
    assert "wandb sync" in page
    plot = demo.git("show", "origin/runs:experiments/smoke/grpo/plots/result.svg")
    assert plot.startswith("<svg")
    assert (demo.demo / "reports/experiments/smoke/grpo/plots/result.svg").read_text() == plot


def test_again_there_is_nothing_to_do_in_seconds(demo):
    started = time.monotonic()
    again = demo.make()
    assert again.returncode == 0
    assert "Nothing to do: 2 runs as planned" in again.stderr  # progress; stdout has the result
    assert time.monotonic() - started < 60  # the budget is 15 s on a machine that does nothing else


def test_reformatted_specs_plan_nothing(demo):
    for path in (demo.path / "experiments").rglob("*.yaml"):
        content = yaml.safe_load(re.sub(r"(\d)e-(\d)", r"\1e-0\2", path.read_text()))
        path.write_text(yaml.safe_dump(content, sort_keys=True, default_flow_style=False))
    planned = plan(demo)
    demo.git("checkout", "-q", ".")
    assert {action["action"] for action in planned.values()} == {"keep"}


def test_a_changed_learning_rate_launches_one_run_and_says_why(demo):
    spec = demo.path / "experiments/smoke/grpo.yaml"
    spec.write_text(spec.read_text().replace("1.0e-3", "5.0e-4"))
    planned = plan(demo)
    demo.git("checkout", "-q", ".")
    assert planned["smoke/grpo"]["action"] == "launch"
    assert planned["smoke/grpo"]["reason"] == "learning_rate 0.001 → 0.0005"
    assert planned["smoke/sft"]["action"] == "keep"


def test_a_changed_line_of_the_reward_makes_its_run_stale(demo):
    reward = demo.path / "reward/arithmetic.py"
    reward.write_text(reward.read_text() + "\n# another line\n")
    planned = plan(demo)
    demo.git("checkout", "-q", ".")
    assert planned["smoke/grpo"]["action"] == "stale"
    assert "reward/arithmetic.py" in planned["smoke/grpo"]["reason"]
    assert planned["smoke/sft"]["action"] == "keep"


def test_a_supervised_run_repeats_bitwise(demo):
    done = demo.runner("reproduce", "smoke/sft", "--require", "bitwise", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "bitwise"


def test_nothing_of_the_runs_is_left_behind(demo):
    jobs = list((demo.path / ".rollbook/local").glob("*/task.json"))
    assert len(jobs) >= 3
    for task in jobs:
        assert marked_processes(task.parent.name) == []
        assert shared_memory.left(task.parent) == []
        assert not temporary_folder(task.parent.name).exists()
    assert not list((demo.path / ".rollbook/scratch").glob("*"))
