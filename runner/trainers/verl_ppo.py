"""verl's reinforcement-learning trainer, as keys of `ppo_trainer.yaml`."""

from __future__ import annotations

from typing import Any

from runner.algorithms.base import Terms
from runner.spec.experiment import Data, Run
from runner.trainers.base import Layout, Setting
from runner.trainers.verl_sft import FP32

AGGREGATIONS = {
    "token_mean": "token-mean",
    "sequence_mean_token_sum": "seq-mean-token-sum",
    "sequence_mean_token_mean": "seq-mean-token-mean",
    "sequence_mean_token_scaled": "seq-mean-token-sum-norm",
}
KL_ESTIMATORS = {"k1": "kl", "k2": "mse", "k3": "low_var_kl", "abs": "abs"}
ACTOR = "actor_rollout_ref.actor"
ROLLOUT = "actor_rollout_ref.rollout"
MODEL = "actor_rollout_ref.model"


def program(run: Run, layout: Layout) -> tuple[str, ...]:
    """Return the program: one driver; Ray starts the rest."""
    return (layout.python, "-m", "verl.trainer.main_ppo")


def settings(run: Run, layout: Layout, steps: int | None) -> dict[str, Setting]:
    """Return verl's keys for a reinforcement-learning run."""
    spec = run.spec
    if spec.algorithm is None or spec.data is None:
        raise ValueError("a verl run has an algorithm and data")
    terms = spec.algorithm.terms()
    groups = [
        (f"algorithm: {spec.algorithm.name}", _algorithm(terms)),
        ("spec: data", _data(spec.data, layout)),
        ("spec: model", {f"{MODEL}.path": layout.model}),
        ("spec: training", _training(run, terms, steps)),
        ("spec: rollout", _rollout(run, spec.data, terms)),
        ("seed", _seeds(run.seed)),
        ("node", _node(run, layout)),
    ]
    if spec.reward:
        groups.append(("spec: reward", _reward(layout)))
    if not spec.resources.gpus_per_node:
        groups.append(("cpu", _cpu(run, spec.data, terms, layout)))
    if spec.training.precision == "fp32":
        groups.append(("spec: training.precision", _fp32()))
    return {key: Setting(value, origin) for origin, keys in groups for key, value in keys.items()}


def _algorithm(terms: Terms) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "algorithm.adv_estimator": terms.advantage,
        f"{ROLLOUT}.n": terms.group_size,
        f"{ACTOR}.entropy_coeff": terms.entropy_coefficient,
        f"{ACTOR}.calculate_entropy": True,
    }
    if terms.loss_aggregation:
        keys[f"{ACTOR}.loss_agg_mode"] = AGGREGATIONS[terms.loss_aggregation]
    if terms.clip:
        keys[f"{ACTOR}.clip_ratio_low"] = terms.clip.low
        keys[f"{ACTOR}.clip_ratio_high"] = terms.clip.high
    return {**keys, **_kl(terms)}


def _kl(terms: Terms) -> dict[str, Any]:
    kl = terms.kl
    in_loss = kl is not None and kl.in_ == "loss"
    in_reward = kl is not None and kl.in_ == "reward"
    keys: dict[str, Any] = {
        f"{ACTOR}.use_kl_loss": in_loss,
        "algorithm.use_kl_in_reward": in_reward,
    }
    if kl and in_loss:
        keys[f"{ACTOR}.kl_loss_coef"] = kl.coefficient
        keys[f"{ACTOR}.kl_loss_type"] = KL_ESTIMATORS[kl.estimator]
    if kl and in_reward:
        keys["algorithm.kl_ctrl.kl_coef"] = kl.coefficient
        keys["algorithm.kl_penalty"] = KL_ESTIMATORS[kl.estimator]
    return keys


def _data(data: Data, layout: Layout) -> dict[str, Any]:
    return {
        "data.train_files": layout.train,
        "data.val_files": list(layout.val.values()) or layout.train,
        "data.max_prompt_length": data.max_prompt_tokens,
        "data.max_response_length": data.max_response_tokens,
        "data.shuffle": data.shuffle,
        "data.truncation": "error",
    }


def _training(run: Run, terms: Terms, steps: int | None) -> dict[str, Any]:
    training = run.spec.training
    return {
        "data.train_batch_size": training.prompts_per_step,
        f"{ACTOR}.ppo_mini_batch_size": training.prompts_per_update or training.prompts_per_step,
        **_micro_batches(run, terms),
        f"{ACTOR}.optim.lr": training.learning_rate,
        f"{ACTOR}.optim.lr_scheduler_type": training.learning_rate_schedule,
        f"{ACTOR}.optim.lr_warmup_steps": training.warmup_steps,
        f"{ACTOR}.optim.weight_decay": training.weight_decay,
        "trainer.total_training_steps": steps,
        # verl stops at the first of both: steps decide, epochs have slack for a resumed run.
        "trainer.total_epochs": (training.epochs or steps or 1) + 2,
        "trainer.test_freq": training.evaluate_every or -1,
        "trainer.save_freq": training.save_every or -1,
        "trainer.val_before_train": training.evaluate_before_training,
    }


def _micro_batches(run: Run, terms: Terms) -> dict[str, Any]:
    """The samples of one pass: as the spec says; else by tokens on a GPU, all at once on a CPU."""
    training, resources = run.spec.training, run.spec.resources
    if training.samples_per_device is None and resources.gpus_per_node:
        dynamic = {f"{ACTOR}.use_dynamic_bsz": True, f"{ROLLOUT}.log_prob_use_dynamic_bsz": True}
        return {**dynamic, "actor_rollout_ref.ref.log_prob_use_dynamic_bsz": True}
    update = (training.prompts_per_update or training.prompts_per_step) * terms.group_size
    samples = training.samples_per_device or update // resources.devices
    return {
        f"{ACTOR}.ppo_micro_batch_size_per_gpu": samples,
        f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": samples,
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": samples,
    }


def _rollout(run: Run, data: Data, terms: Terms) -> dict[str, Any]:
    rollout = run.spec.rollout
    return {
        f"{ROLLOUT}.name": rollout.engine,
        f"{ROLLOUT}.tensor_model_parallel_size": rollout.tensor_parallel,
        f"{ROLLOUT}.gpu_memory_utilization": rollout.gpu_memory,
        f"{ROLLOUT}.temperature": rollout.temperature,
        f"{ROLLOUT}.top_p": rollout.top_p,
        f"{ROLLOUT}.max_model_len": data.max_prompt_tokens + data.max_response_tokens,
    }


def _seeds(seed: int) -> dict[str, Any]:
    return {
        "data.seed": seed,
        f"{ACTOR}.data_loader_seed": seed,
        f"{ACTOR}.fsdp_config.seed": seed,
        f"{ROLLOUT}.seed": seed,
    }


def _node(run: Run, layout: Layout) -> dict[str, Any]:
    wandb = run.spec.tracking.wandb
    return {
        "trainer.logger": ["console", "file", *(["wandb"] if wandb else [])],
        "trainer.project_name": wandb.project if wandb else "rollbook",
        "trainer.experiment_name": run.experiment.replace("/", "-"),
        "trainer.default_local_dir": layout.checkpoints,
        "trainer.max_actor_ckpt_to_keep": run.spec.checkpoints.keep_last,
        "trainer.resume_mode": "auto",  # the folder is the run's own: nothing else is found there
        "trainer.rollout_data_dir": f"{layout.samples}/train",
        "trainer.validation_data_dir": f"{layout.samples}/val",
        "trainer.n_gpus_per_node": max(1, run.spec.resources.gpus_per_node),
        "trainer.nnodes": run.spec.resources.nodes,
        f"{ACTOR}.checkpoint.save_contents": ["model", "optimizer", "extra", "hf_model"],
        "ray_kwargs.ray_init.num_cpus": None,  # the node program owns Ray; verl joins it
    }


def _reward(layout: Layout) -> dict[str, Any]:
    return {
        "reward.custom_reward_function.path": f"{layout.inside}/rollbook_reward.py",
        "reward.custom_reward_function.name": "compute_score",
    }


def _cpu(run: Run, data: Data, terms: Terms, layout: Layout) -> dict[str, Any]:
    """What verl and vLLM need without an accelerator: few processes, no compiler, small buffers."""
    samples = run.spec.training.prompts_per_step * terms.group_size
    tokens = data.max_prompt_tokens + data.max_response_tokens
    return {
        "trainer.device": "cpu",
        "data.dataloader_num_workers": 0,
        f"{MODEL}.use_remove_padding": False,
        f"+{MODEL}.override_config.attn_implementation": "sdpa",
        f"{MODEL}.enable_gradient_checkpointing": False,
        f"{ACTOR}.strategy": "fsdp2",
        f"{ACTOR}.fsdp_config.strategy": "fsdp2",
        f"{ACTOR}.use_torch_compile": False,
        f"{ACTOR}.fsdp_config.use_torch_compile": False,
        f"{ROLLOUT}.enforce_eager": True,
        f"{ROLLOUT}.free_cache_engine": False,
        f"+{ROLLOUT}.enable_sleep_mode": False,
        f"{ROLLOUT}.max_num_seqs": min(samples, 256),
        f"{ROLLOUT}.max_num_batched_tokens": max(4096, tokens),
        f"{ROLLOUT}.agent.num_workers": 1,
        f"{ROLLOUT}.checkpoint_engine.update_weights_bucket_megabytes": 16,
        "reward.num_workers": 1,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
        "trainer.v1.sampler.custom_sampler.path": f"{layout.inside}/rollbook_sampler.py",
        "trainer.v1.sampler.custom_sampler.name": "PromptSampler",
    }


def _fp32() -> dict[str, Any]:
    return {
        f"{ACTOR}.fsdp_config.dtype": "float32",
        f"+{ACTOR}.fsdp_config.mixed_precision": FP32,
        f"{ROLLOUT}.dtype": "float32",
    }
