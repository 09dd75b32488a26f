"""The critic of verl's reinforcement-learning trainer, as keys of `critic.*` (0.9.1).

It starts from the policy's weights, with a head of its own. Adapters are for the policy alone: verl
makes those of a causal model, which would leave the critic's new head untrained.
"""

from __future__ import annotations

from typing import Any

from runner.algorithms.base import Critic
from runner.spec.experiment import Run
from runner.trainers import verl_memory
from runner.trainers.base import Layout
from runner.trainers.verl_sft import FP32

MODEL = "critic.model"
ENGINE = "critic.fsdp"


def settings(
    run: Run, critic: Critic, layout: Layout, samples: int | None
) -> list[tuple[str, dict[str, Any]]]:
    """Return the critic's keys in groups, each with its origin.

    `samples` are those of one pass on one device; None where they are packed by tokens.
    """
    spec = run.spec
    groups = [
        (f"algorithm: {spec.algorithm.name if spec.algorithm else ''}", _critic(critic)),
        ("spec: model", {f"{MODEL}.path": layout.model}),
        ("spec: training", _training(run, samples)),
        ("seed", {"critic.data_loader_seed": run.seed, f"{ENGINE}.seed": run.seed}),
        ("node", {"trainer.max_critic_ckpt_to_keep": spec.checkpoints.keep_last}),
    ]
    if not spec.resources.gpus_per_node:
        groups.append(("cpu", _cpu(run)))
    if spec.training.precision == "fp32":
        fp32 = {f"{ENGINE}.dtype": "float32", f"+{ENGINE}.mixed_precision": FP32}
        groups.append(("spec: training.precision", fp32))
    return groups


def _critic(critic: Critic) -> dict[str, Any]:
    return {
        "critic.optim.lr": critic.learning_rate,
        "critic.cliprange_value": critic.clip,
        "trainer.critic_warmup": critic.warmup_steps,
    }


def _training(run: Run, samples: int | None) -> dict[str, Any]:
    """What the policy and the critic share; batches are the policy's unless told otherwise."""
    training = run.spec.training
    keys: dict[str, Any] = {
        "critic.optim.lr_scheduler_type": training.learning_rate_schedule,
        "critic.optim.lr_warmup_steps": training.warmup_steps,
        "critic.optim.weight_decay": training.weight_decay,
        **verl_memory.checkpointing(MODEL, training),
        **verl_memory.offload(ENGINE, training.offload),
        **verl_memory.sequences("critic", MODEL, training),
    }
    if samples:
        keys["critic.ppo_micro_batch_size_per_gpu"] = samples
    elif training.tokens_per_device:
        keys["critic.ppo_max_token_len_per_gpu"] = training.tokens_per_device
    return keys


def _cpu(run: Run) -> dict[str, Any]:
    return {
        f"{MODEL}.use_remove_padding": False,
        f"+{MODEL}.override_config.attn_implementation": "sdpa",
        f"{MODEL}.enable_gradient_checkpointing": bool(run.spec.training.gradient_checkpointing),
        "critic.strategy": "fsdp2",
        f"{ENGINE}.strategy": "fsdp2",
        f"{ENGINE}.use_torch_compile": False,
    }
