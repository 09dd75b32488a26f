"""What is compiled for verl, and raw keys with `+`, as verl's own dataclasses take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra_judge import tree
from training_oracle import TrainingOracle

from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment, Run
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.base import planned_steps
from runner.trainers.keys.entry import checker
from runner.trainers.preview import preview_layout

ROOT = Path(__file__).parents[2]
VERL = TRAINERS["verl"]
ACTOR = "actor_rollout_ref.actor"
RUNS = {
    one.name: one.runs[0]
    for one in load_experiments(WorkTree(ROOT)).experiments
    if one.experiment.pin.name == "verl" and one.experiment.wants_reward
}
OVERRIDES: dict[str, tuple[dict[str, Any], str | None]] = {
    "a field that YAML lacks": ({f"+{ACTOR}.use_rollout_log_probs": False}, None),
    "precision": ({f"+{ACTOR}.fsdp_config.mixed_precision": {"param_dtype": "bf16"}}, None),
    "no field": ({f"+{ACTOR}.bogus": 1}, "unexpected keyword argument"),
    "no field of the rollout": ({"+actor_rollout_ref.rollout.bogus": 1}, "unexpected keyword"),
    "a loss that is none": ({f"{ACTOR}.loss_agg_mode": "mean"}, "Invalid loss_agg_mode"),
    "the mode that is gone": ({"actor_rollout_ref.rollout.mode": "sync"}, "has been removed"),
    "an engine that is none": ({f"{ACTOR}.fsdp_config.strategy": "ddp"}, "strategy"),
}
"""Overrides, and what verl says of them; None for those that it takes."""
SPEC: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "verl==0.9.1",
    "model": {"path": "Qwen/Qwen2.5-0.5B"},
    "algorithm": {"name": "grpo", "group_size": 4},
    "data": {"train": "data/a.jsonl", "val": {"sums": "data/b.jsonl"}},
    "reward": "reward/sums.py:score",
    "training": {"steps": 2, "prompts_per_step": 8, "learning_rate": 1e-6},
    "resources": {"accelerators": "H100:8"},
}


def run_with(overrides: dict[str, Any]) -> Run:
    spec = Experiment.model_validate({**SPEC, "overrides": overrides})
    return Run(experiment="x", seed=1, point={}, spec=spec)


def arguments(run: Run) -> list[str]:
    compiled = VERL.compile(run, preview_layout(run.spec), planned_steps(run, 7473))
    given = compiled.argv[-len(compiled.settings) :]
    return [one for one in given if not one.startswith("hydra.")]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What verl says to everything here, asked once: it takes long to load."""
    asked = {name: arguments(run) for name, run in RUNS.items()}
    asked |= {name: arguments(run_with(keys)) for name, (keys, _) in OVERRIDES.items()}
    question = {"configs": str(tree("0.9.1")), "arguments": list(asked.values())}
    folder = tmp_path_factory.mktemp("verl")
    answers = TrainingOracle("verl").ask("verl_dataclasses.py", question, folder)
    return dict(zip(asked, answers, strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_verl_takes_what_is_compiled(said, name):
    assert said[name] is None


@pytest.mark.parametrize("name", OVERRIDES)
def test_verl_and_we_refuse_the_same_overrides(said, name):
    overrides, message = OVERRIDES[name]
    spec = run_with(overrides).spec
    faults = [
        fault for key, value in overrides.items() for fault in checker(spec).faults(key, value)
    ]
    assert bool(faults) == (message is not None)
    assert message in said[name] if message else said[name] is None
