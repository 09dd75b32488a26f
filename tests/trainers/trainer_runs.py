"""Runs to compile, and the places of their files."""

from __future__ import annotations

from typing import Any

from runner.spec.experiment import Experiment, Run
from runner.trainers.base import Layout

LAYOUT = Layout(
    python="/env/bin/python",
    code="/run/code",
    train="/run/data/train.parquet",
    val={"sums": "/run/data/val.sums.parquet"},
    model="/run/model",
    checkpoints="/run/checkpoints",
    metrics="/run/metrics.jsonl",
    config="/run/config",
    samples="/run/samples",
    inside="/runner/node/inside",
)
SFT: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "verl==0.9.1",
    "model": {"path": "Qwen/Qwen2.5-0.5B"},
    "algorithm": {"name": "sft"},
    "data": {"train": "data/a.jsonl", "val": {"sums": "data/b.jsonl"}, "max_prompt_tokens": 64},
    "training": {"epochs": 3, "prompts_per_step": 8, "learning_rate": 1e-05, "save_every": 2},
}
GRPO: dict[str, Any] = {
    **SFT,
    "algorithm": {
        "name": "grpo",
        "group_size": 4,
        "clip_ratio": {"low": 0.2, "high": 0.28},
        "kl": {"in": "loss", "coefficient": 0.001, "estimator": "k3"},
    },
    "reward": "reward/sums.py:score",
    "training": {
        "steps": 10,
        "prompts_per_step": 16,
        "prompts_per_update": 8,
        "learning_rate": 1e-06,
        "evaluate_every": 5,
        "evaluate_before_training": True,
    },
    "tracking": {"wandb": {"project": "sums", "entity": "team"}},
}
SCRIPT: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "script",
    "script": {"command": ["python", "train.py", "a b"], "files": ["train.py"]},
    "training": {"steps": 2, "prompts_per_step": 8, "learning_rate": 0.1},
}


def run_of(spec: dict[str, Any], seed: int = 7, **changes: Any) -> Run:
    """Return a run of `spec` with other sections."""
    experiment = Experiment.model_validate({**spec, **changes})
    return Run(experiment="group/x", seed=seed, point={}, spec=experiment)
