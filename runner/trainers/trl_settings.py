"""Runs as TRL's keys. Keys and their meaning: `trl/trainer/*_config.py` of TRL 1.16.0.

TRL counts optimizer updates and samples per device where the spec counts steps and prompts. With D
devices, groups of G answers (1 where nothing is sampled) and the spec's prompts per step S and per
update U (S where it says none),

    updates of a step              k = S / U
    samples of an update, a device u = U G / D
    per_device_train_batch_size    m = samples_per_device, or what `default_samples` says
    gradient_accumulation_steps    a = u / m
    steps_per_generation           a k

each of which has to be a whole number (runner/rules/batch.py). TRL's updates are k times the steps:
max_steps, save_steps, eval_steps, logging_steps and warmup_steps are multiplied by k.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from runner.algorithms.base import Terms
from runner.spec.experiment import Data, Experiment, Run
from runner.spec.rollout import Validation
from runner.trainers.base import Layout, Setting

METHODS = {"grpo": "grpo", "rloo": "rloo"}
"""TRL's trainers by advantage estimator."""
LOSSES = {
    ("vanilla", "token_mean"): "dapo",
    ("vanilla", "sequence_mean_token_mean"): "grpo",
    ("vanilla", "sequence_mean_token_sum"): "luspo",
    ("vanilla", "sequence_mean_token_scaled"): "dr_grpo",
    ("gspo", "token_mean"): "dapo",
    ("gspo", "sequence_mean_token_mean"): "grpo",
    ("gspo", "sequence_mean_token_sum"): "luspo",
    ("gspo", "sequence_mean_token_scaled"): "dr_grpo",
    ("cispo", "token_mean"): "cispo",
    ("sapo", "sequence_mean_token_mean"): "sapo",
}
"""GRPO's `loss_type` by policy loss and aggregation (grpo_trainer.py, _compute_loss). `luspo` on
ratios of tokens is the clipped surrogate, summed over an answer."""
DEFAULT_SAMPLES = 8
"""The most samples of one pass on a GPU where the spec says none: Transformers' own default."""


class Batch(NamedTuple):
    """The spec's batch in TRL's units."""

    updates: int
    """Optimizer updates of a step."""
    samples: int
    """Samples of one forward and backward pass on a device."""
    accumulation: int
    """Passes of an update."""


def batch(spec: Experiment, terms: Terms) -> Batch:
    """Return the batch of `spec`; its arithmetic has been checked by rules."""
    training = spec.training
    update = training.prompts_per_update or training.prompts_per_step
    share = max(1, update * terms.group_size // spec.resources.devices)
    samples = training.samples_per_device or default_samples(spec, share)
    return Batch(training.prompts_per_step // update, samples, max(1, share // samples))


def default_samples(spec: Experiment, share: int) -> int:
    """Return the samples of one pass where the spec says none: on the CPU the whole `share`."""
    if not spec.resources.gpus_per_node:
        return share
    return next(size for size in range(DEFAULT_SAMPLES, 0, -1) if share % size == 0)


def method(spec: Experiment) -> str:
    """Return which of TRL's trainers runs `spec`."""
    terms = _terms(spec)
    if terms.stage == "rl":
        return METHODS[str(terms.advantage)]
    return "dpo" if terms.stage == "preference" else "sft"


def task(run: Run, layout: Layout) -> dict[str, Any]:
    """Return what the entry module is told besides TRL's keys."""
    terms, data = _terms(run.spec), _data(run.spec)
    validation, penalty = run.spec.rollout.validation or Validation(), terms.overlong_penalty
    return {
        "train": layout.train,
        "val": dict(layout.val),
        "metrics": layout.metrics,
        "config": layout.config,
        "samples": layout.samples,
        "updates": batch(run.spec, terms).updates,
        "prompt_tokens": data.max_prompt_tokens,
        "response_tokens": data.max_response_tokens,
        "validation": {"temperature": validation.temperature, "top_p": validation.top_p},
        "overlong": penalty and {"buffer": penalty.buffer_tokens, "factor": penalty.factor},
    }


def settings(run: Run, layout: Layout, steps: int | None) -> dict[str, Setting]:
    """Return TRL's keys for `run`, with where each comes from."""
    spec, terms = run.spec, _terms(run.spec)
    sizes = batch(spec, terms)
    groups = [
        ("spec: model", {"model_name_or_path": layout.model, "dtype": "float32"}),
        ("spec: training", _training(spec, sizes, steps)),
        ("spec: training", _batches(spec, sizes, terms)),
        ("spec: data", _lengths(spec, terms)),
        ("seed", {"seed": run.seed}),
        ("node", _node(run, layout, sizes)),
        (f"algorithm: {spec.algorithm.name if spec.algorithm else ''}", _algorithm(terms)),
    ]
    if terms.stage == "rl":
        groups.append(("spec: rollout", _rollout(spec)))
    if spec.training.lora:
        groups.append(("spec: training.lora", _lora(spec)))
    groups.append(("spec: resources", _devices(spec)))
    return {key: Setting(value, origin) for origin, keys in groups for key, value in keys.items()}


def _terms(spec: Experiment) -> Terms:
    if spec.algorithm is None:
        raise ValueError("a TRL run has an algorithm")
    return spec.algorithm.terms()


def _data(spec: Experiment) -> Data:
    if spec.data is None:
        raise ValueError("a TRL run has data")
    return spec.data


def _training(spec: Experiment, sizes: Batch, steps: int | None) -> dict[str, Any]:
    training, k = spec.training, sizes.updates
    schedule = training.learning_rate_schedule
    if schedule == "constant" and training.warmup_steps:
        schedule_name = "constant_with_warmup"
    else:
        schedule_name = schedule
    length = {"num_train_epochs": training.epochs} if steps is None else {"max_steps": steps * k}
    return {
        **length,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": schedule_name,
        "warmup_steps": training.warmup_steps * k,
        "weight_decay": training.weight_decay,
        "bf16": training.precision == "bf16",
        **_every("save", training.save_every, k),
        **_every("eval", training.evaluate_every, k),
        "eval_on_start": training.evaluate_before_training,
    }


def _every(what: str, every: int | None, k: int) -> dict[str, Any]:
    if every is None:
        return {f"{what}_strategy": "no"}
    return {f"{what}_strategy": "steps", f"{what}_steps": every * k}


def _batches(spec: Experiment, sizes: Batch, terms: Terms) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "per_device_train_batch_size": sizes.samples,
        "gradient_accumulation_steps": sizes.accumulation,
        "per_device_eval_batch_size": sizes.samples,
    }
    if terms.stage != "rl":
        return keys
    answers = spec.rollout.validation.samples if spec.rollout.validation else 1
    return {
        **keys,
        # A batch of validation holds whole groups.
        "per_device_eval_batch_size": -(-sizes.samples // answers) * answers,
        "steps_per_generation": sizes.accumulation * sizes.updates,
        "num_iterations": 1,
        "num_generations": terms.group_size,
        "num_generations_eval": answers,
    }


def _lengths(spec: Experiment, terms: Terms) -> dict[str, Any]:
    data = _data(spec)
    if terms.stage == "rl":
        longest: dict[str, Any] = {"max_completion_length": data.max_response_tokens}
        return {**longest, "shuffle_dataset": data.shuffle}
    order = "random" if data.shuffle else "sequential"
    # Longer rows are refused by the entry module: nothing is cut off.
    whole = data.max_prompt_tokens + data.max_response_tokens
    return {"max_length": whole, "train_sampling_strategy": order}


def _node(run: Run, layout: Layout, sizes: Batch) -> dict[str, Any]:
    return {
        "output_dir": layout.checkpoints,
        "save_total_limit": run.spec.checkpoints.keep_last,
        "logging_steps": sizes.updates,
        "logging_nan_inf_filter": False,  # a loss that is no number has to be seen
        "report_to": "wandb" if run.spec.tracking.wandb else "none",
        "run_name": run.experiment.replace("/", "-"),
        "disable_tqdm": True,
    }


def _algorithm(terms: Terms) -> dict[str, Any]:
    if terms.preference:
        return {"beta": terms.preference.beta, "loss_type": [terms.preference.loss]}
    if terms.stage != "rl":
        return {}
    keys: dict[str, Any] = {"beta": terms.kl.coefficient if terms.kl else 0.0}
    if terms.clip and terms.policy_loss != "cispo":
        keys |= {"epsilon": terms.clip.low, "epsilon_high": terms.clip.high}
    return keys if terms.advantage == "rloo" else {**keys, **_grpo(terms)}


def _grpo(terms: Terms) -> dict[str, Any]:
    aggregation = terms.loss_aggregation or "token_mean"
    keys: dict[str, Any] = {
        "loss_type": LOSSES[str(terms.policy_loss), aggregation],
        "importance_sampling_level": "sequence" if terms.policy_loss == "gspo" else "token",
        "scale_rewards": "group" if terms.normalize_by_std else "none",
        "entropy_coef": terms.entropy_coefficient,
        "use_bias_correction_kl": False,  # TRL would weigh k3 by the probability ratio
    }
    if terms.dual_clip:
        keys["delta"] = terms.dual_clip
    if terms.policy_loss == "cispo" and terms.clip:
        keys["epsilon_high"] = 1 + terms.clip.high  # TRL bounds the ratio, not its distance from 1
    if terms.soft_gate:
        keys["sapo_temperature_pos"] = terms.soft_gate.positive
        keys["sapo_temperature_neg"] = terms.soft_gate.negative
    return keys


def _rollout(spec: Experiment) -> dict[str, Any]:
    rollout, data = spec.rollout, _data(spec)
    keys: dict[str, Any] = {"temperature": rollout.temperature, "top_p": rollout.top_p}
    if not spec.resources.gpus_per_node:
        return {**keys, "use_vllm": False}
    return {
        **keys,
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": rollout.gpu_memory,
        "vllm_tensor_parallel_size": rollout.tensor_parallel,
        "vllm_max_model_length": data.max_prompt_tokens + data.max_response_tokens,
    }


def _lora(spec: Experiment) -> dict[str, Any]:
    lora = spec.training.lora
    if lora is None:
        return {}
    return {
        "use_peft": True,
        "lora_r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_target_modules": list(lora.targets),
        "lora_dropout": 0.0,
    }


def _devices(spec: Experiment) -> dict[str, Any]:
    """How the devices share the model: all weights sharded over GPUs, adapters copied to each."""
    recompute = spec.training.gradient_checkpointing
    if not spec.resources.gpus_per_node:
        on_cpu = {"use_cpu": True, "dataloader_pin_memory": False}
        return {**on_cpu, "gradient_checkpointing": bool(recompute)}
    if spec.resources.devices == 1 or spec.training.lora:
        return {} if recompute is None else {"gradient_checkpointing": recompute}
    # With FSDP its own recomputing is the better one (transformers #30404).
    sharded = {"activation_checkpointing": recompute is not False}
    return {"gradient_checkpointing": False, "fsdp": True, "fsdp_config": sharded}
