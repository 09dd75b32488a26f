"""Rules on overrides that say again what a field of the spec says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.findings import Finding
from runner.rules.base import Subject
from runner.rules.raw import raw_keys
from runner.spec.experiment import Experiment

FIELDS: dict[str, dict[str, str]] = {
    "verl": {
        "data.train_batch_size": "training.prompts_per_step",
        "data.max_prompt_length": "data.max_prompt_tokens",
        "data.max_response_length": "data.max_response_tokens",
        "actor_rollout_ref.actor.ppo_mini_batch_size": "training.prompts_per_update",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": "training.samples_per_device",
        "actor_rollout_ref.actor.ppo_max_token_len_per_gpu": "training.tokens_per_device",
        "actor_rollout_ref.actor.ulysses_sequence_parallel_size": "training.sequence_parallel",
        "actor_rollout_ref.actor.optim.lr": "training.learning_rate",
        "actor_rollout_ref.rollout.n": "algorithm.group_size",
        "actor_rollout_ref.rollout.temperature": "rollout.temperature",
        "actor_rollout_ref.rollout.tensor_model_parallel_size": "rollout.tensor_parallel",
        "actor_rollout_ref.rollout.gpu_memory_utilization": "rollout.gpu_memory",
        "optim.lr": "training.learning_rate",
        "trainer.save_freq": "training.save_every",
        "trainer.test_freq": "training.evaluate_every",
        "trainer.val_before_train": "training.evaluate_before_training",
    },
    "skyrl": {
        "trainer.train_batch_size": "training.prompts_per_step",
        "trainer.policy_mini_batch_size": "training.prompts_per_update",
        "trainer.micro_train_batch_size_per_gpu": "training.samples_per_device",
        "trainer.max_prompt_length": "data.max_prompt_tokens",
        "generator.sampling_params.max_generate_length": "data.max_response_tokens",
        "generator.sampling_params.temperature": "rollout.temperature",
        "generator.n_samples_per_prompt": "algorithm.group_size",
        "generator.inference_engine.tensor_parallel_size": "rollout.tensor_parallel",
        "generator.inference_engine.gpu_memory_utilization": "rollout.gpu_memory",
        "trainer.policy.optimizer_config.lr": "training.learning_rate",
        "trainer.epochs": "training.epochs",
        "trainer.ckpt_interval": "training.save_every",
        "trainer.eval_interval": "training.evaluate_every",
        "trainer.eval_before_train": "training.evaluate_before_training",
    },
    "trl": {
        "learning_rate": "training.learning_rate",
        "save_steps": "training.save_every",
        "eval_steps": "training.evaluate_every",
        "temperature": "rollout.temperature",
        "max_completion_length": "data.max_response_tokens",
    },
}
"""Keys of trainers that have a field: rules, plan and pages go by the field."""


def say_once(subject: Subject) -> Iterator[Finding]:
    """What a field of the spec says is not said otherwise by an override.

    Rules, plan and pages go by the field. An override with the field's own value is let be.
    """
    fields = FIELDS.get(subject.spec.pin.name, {})
    for key, said in raw_keys(subject.spec).items():
        stated = _value(subject.spec, fields[key]) if key in fields else said.value
        is_lone = fields.get(key) == "algorithm.group_size" and said.value == 1  # algorithm.group
        if not _same(said.value, stated) and not is_lone:
            message = f"`{key}` is {said.value}, `{fields[key]}` is {stated or 'not set'}"
            message += ": steps, memory and batches are reckoned by the field"
            cure = f"write {fields[key]}: {said.value} instead"
            yield subject.at(said.path, message, cure, on_key=True)


def _value(spec: Experiment, field: str) -> Any:
    """Return what the spec says, or means, by `field`."""
    section, _, name = field.partition(".")
    if field == "algorithm.group_size":
        return spec.algorithm.terms().group_size if spec.algorithm else None
    if field == "training.prompts_per_update":
        return spec.training.prompts_per_update or spec.training.prompts_per_step
    return getattr(getattr(spec, section), name, None)


def _same(said: object, field: object) -> bool:
    """Whether an override says what the field does; trainers write -1 for never."""
    return said == field or (field is None and said in (None, -1))
