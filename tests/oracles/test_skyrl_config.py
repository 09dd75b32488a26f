"""What is compiled for SkyRL is what SkyRL 0.3.0 takes, and means to it what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trainer_oracle import Oracle

from runner.algorithms import CLASSES
from runner.spec.experiment import Experiment, Run
from runner.trainers import TRAINERS
from runner.trainers.base import Layout

SKYRL = TRAINERS["skyrl"]
LAYOUT = Layout(
    python="python", code="/run/code", train="/run/train.parquet",
    val={"gsm8k": "/run/val.gsm8k.parquet", "math": "/run/val.math.parquet"}, model="/run/model",
    checkpoints="/run/checkpoints", metrics="/run/metrics.jsonl", config="/run/config",
    samples="/run/samples", inside="/inside",
)  # fmt: skip
TRAINING: dict[str, Any] = {
    "epochs": 2, "prompts_per_step": 64, "prompts_per_update": 32, "learning_rate": 1e-06,
    "warmup_steps": 5, "save_every": 10, "evaluate_every": 5, "evaluate_before_training": True,
}  # fmt: skip
SPEC: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "skyrl==0.3.0",
    "model": {"path": "Qwen/Qwen2.5-1.5B-Instruct", "revision": "0" * 40},
    "algorithm": {"name": "grpo", "group_size": 8},
    "data": {"train": "data/a.jsonl", "val": {"gsm8k": "data/b.jsonl", "math": "data/c.jsonl"}},
    "reward": "reward/gsm8k.py:compute_score",
    "training": TRAINING,
    "resources": {"accelerators": "H100:8"},
}


def grpo(**changes: Any) -> dict[str, Any]:
    return {"algorithm": {"name": "grpo", "group_size": 8, **changes}}


def training(**changes: Any) -> dict[str, Any]:
    return {"training": {**TRAINING, **changes}}


VARIANTS: dict[str, dict[str, Any]] = {
    "one GPU": {"resources": {"accelerators": "L40S:1"}},
    "two nodes": {"resources": {"accelerators": "L40S:4", "nodes": 2}},
    "two nodes, engines of two": {
        "resources": {"accelerators": "H100:8", "nodes": 2}, "rollout": {"tensor_parallel": 2},
    },
    "LoRA": training(lora={"rank": 32, "alpha": 64}),
    "LoRA on some layers": training(lora={"rank": 8, "alpha": 8, "targets": ["q_proj"]}),
    "samples per device": training(samples_per_device=16),
    "tokens per device": training(tokens_per_device=16384, gradient_checkpointing=False),
    "sequence parallel": training(sequence_parallel=2, samples_per_device=8),
    "cosine": training(learning_rate_schedule="cosine", steps=100),
    "offload": training(offload={"parameters": True, "optimizer": True, "reference": True}),
    "no evaluation": {
        **training(evaluate_every=None, evaluate_before_training=False, save_every=None),
        "data": {"train": "data/a.jsonl"},
    },
    "KL in the loss": grpo(kl={"coefficient": 0.001}),
    "KL in the reward": grpo(kl={"in": "reward", "coefficient": 0.05, "estimator": "k1"}),
    "entropy": grpo(entropy_coefficient=0.001),
    "mean of sequences": grpo(loss_aggregation="sequence_mean_token_mean"),
    "scaled by the longest": grpo(loss_aggregation="sequence_mean_token_scaled"),
    "DAPO by rewards": {
        "algorithm": {"name": "dapo", "dynamic_sampling": {"metric": "reward", "max_batches": 10}},
    },
    "DAPO without a limit": {
        "algorithm": {"name": "dapo", "dynamic_sampling": {"metric": "reward"}},
    },
    "sampled validation": {
        "rollout": {"validation": {"samples": 8, "temperature": 0.6, "top_p": 0.95}},
    },
    "W&B": {"tracking": {"wandb": {"project": "p"}}, "secrets": ["WANDB_API_KEY"]},
    "overrides": {
        "overrides": {
            "generator": {"batched": True, "inference_engine": {"enforce_eager": True}},
            "generator.chat_template_kwargs": {"enable_thinking": False, "words": ["on", "1e3"]},
            "trainer.policy.optimizer_config.adam_betas": [0.9, 0.95],
        },
    },
}  # fmt: skip


def run_of(**changes: Any) -> Run:
    spec = Experiment.model_validate({**SPEC, **changes})
    return Run(experiment="gsm8k/skyrl", seed=7, point={}, spec=spec)


def candidates() -> dict[str, Run]:
    """Return a run of each algorithm on one node and two, and of each variant of GRPO."""
    runs = {name: run_of(**changes) for name, changes in VARIANTS.items()}
    for name in CLASSES:
        for nodes in (1, 2):
            resources = {"accelerators": "H100:8", "nodes": nodes}
            runs[f"{name} on {nodes}"] = run_of(algorithm={"name": name}, resources=resources)
    return {
        name: run for name, run in runs.items()
        if run.spec.algorithm and run.spec.algorithm.terms().stage == "rl"
    }  # fmt: skip


RUNS = {name: run for name, run in candidates().items() if not SKYRL.refusals(run.spec)}


def arguments(run: Run, layout: Layout = LAYOUT, steps: int = 100, **changes: str) -> list[str]:
    """Return a run's arguments, some given another value."""
    command = SKYRL.compile(run, layout, steps)
    given = dict(one.split("=", 1) for one in command.argv[-len(command.settings) :])
    return [f"{key}={value}" for key, value in {**given, **changes}.items()]


REFUSED = {
    "trainer.epoch": ({"trainer.epoch": "1"}, "Invalid fields {'epoch'}"),
    "a key to add": ({"+trainer.epochs": "1"}, "'+' prefix"),
    "a loss that is none": ({"trainer.algorithm.policy_loss_type": "ppo"}, "invalid policy_loss"),
    "an estimator that is none": (
        {"trainer.algorithm.advantage_estimator": "remax"}, "invalid advantage_estimator",
    ),
    "PPO without a critic": (
        {"trainer.algorithm.advantage_estimator": "gae"}, "trainer.critic.model.path",
    ),
    "KL twice": (
        {"trainer.algorithm.use_kl_loss": "true", "trainer.algorithm.use_kl_in_reward": "true"},
        "mutually exclusive",
    ),
    "scaled by nothing": (
        {"trainer.algorithm.loss_reduction": "seq_mean_token_sum_norm"}, "max_seq_len",
    ),
    "an engine too few": ({"generator.inference_engine.num_engines": "7"}, "num_rollout_gpus (7)"),
    "updates that do not divide": ({"trainer.policy_mini_batch_size": "24"}, "should be divisible"),
    "passes that do not divide": (
        {"trainer.micro_train_batch_size_per_gpu": "5"}, "micro_train_batch_size_per_gpu 5",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What SkyRL says to everything here, asked once: it takes seconds to load."""
    base = run_of()
    asked = {f"run: {name}": arguments(run) for name, run in RUNS.items()}
    asked |= {f"refused: {name}": arguments(base, **keys) for name, (keys, _) in REFUSED.items()}
    asked["epochs=abc"] = arguments(base, **{"trainer.epochs": "abc"})
    folder: Path = tmp_path_factory.mktemp("skyrl")
    answers = Oracle("skyrl").ask(
        "skyrl_config.py", list(asked.values()), folder, WANDB_API_KEY="none"
    )
    return dict(zip(asked, answers, strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_skyrl_takes_what_is_compiled(verdicts, name):
    assert verdicts[f"run: {name}"]["error"] is None


@pytest.mark.parametrize("name", RUNS)
def test_skyrl_reads_every_value_as_it_was_meant(verdicts, name):
    settings = SKYRL.compile(RUNS[name], LAYOUT, 100).settings
    read = verdicts[f"run: {name}"]["values"]
    meant = {key: setting.value for key, setting in settings.items()}
    assert {key: read[key] for key in meant} == meant
    # 1 == True and 1 == 1.0 in Python; not in a config.
    assert {key: type(read[key]) for key in meant} == {key: type(meant[key]) for key in meant}


@pytest.mark.parametrize("name", REFUSED)
def test_skyrl_refuses_what_is_wrong(verdicts, name):
    assert REFUSED[name][1] in verdicts[f"refused: {name}"]["error"]


def test_types_are_ours_to_check(verdicts):
    assert verdicts["epochs=abc"]["error"] is None


def test_each_algorithm_is_compiled_or_refused():
    """DAPO is compiled as a variant: SkyRL looks at rewards where DAPO does at accuracy."""
    lacking = {"reinforce_plus_plus_baseline", "remax", "gmpo", "gpg", "dapo"}
    assert set(candidates()) - set(RUNS) == {f"{name} on {n}" for name in lacking for n in (1, 2)}
