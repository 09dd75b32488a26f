"""A run as keys of SkyRL's config (`skyrl/train/config/config.py`, 0.3.0).

Policy, reference, critic and inference engines share all planned GPUs (`colocate_all`): while one
of them works, SkyRL keeps the weights and optimizer states of the others in the host's memory, so
`training.offload` asks for nothing more. The arithmetic is that of `validate_batch_sizes` and
`validate_cfg` (skyrl/train/utils/utils.py), with dp = devices // sequence_parallel:

- prompts_per_step % prompts_per_update == 0
- s = prompts_per_update * group_size // dp; s >= 1; s % samples_per_device == 0
- (prompts_per_step * group_size // dp) % s == 0
- prompts_per_step * group_size >= dp; what is over a multiple of dp is dropped without a word
- devices == engines * tensor_parallel
"""

from __future__ import annotations

from typing import Any

from runner.algorithms.base import Kl, Terms
from runner.spec.experiment import Data, Experiment, Run
from runner.spec.rollout import Validation
from runner.spec.training import Training
from runner.trainers.base import Layout, Setting

ADVANTAGES = {
    "grpo": "grpo",
    "gae": "gae",
    "rloo": "rloo",
    "reinforce_plus_plus": "reinforce++",
}
POLICY_LOSSES = {"vanilla": "regular", "gspo": "gspo", "sapo": "sapo", "cispo": "cispo"}
AGGREGATIONS = {
    "token_mean": "token_mean",
    "sequence_mean_token_mean": "sequence_mean",
    "sequence_mean_token_scaled": "seq_mean_token_sum_norm",
}
SCHEDULES = {"constant": "constant_with_warmup", "cosine": "cosine"}
ENVIRONMENT = "rollbook"
"""Id of the skyrl-gym environment that `runner/node/inside/rollbook_skyrl.py` registers."""
WHOLE_SET = 2**20
"""Rows of a validation batch: all. SkyRL averages the means of batches whatever their sizes."""
ALGORITHM = "trainer.algorithm"
POLICY = "trainer.policy"
CRITIC = "trainer.critic"
ENGINE = "generator.inference_engine"


def settings(run: Run, layout: Layout, steps: int | None) -> dict[str, Setting]:
    """Return SkyRL's keys for a run."""
    spec = run.spec
    if spec.algorithm is None or spec.data is None:
        raise ValueError("a SkyRL run has an algorithm and data")
    terms = spec.algorithm.terms()
    groups = [
        (f"algorithm: {spec.algorithm.name}", algorithm_keys(terms, spec.data)),
        ("spec: data", _data(spec.data, layout)),
        ("spec: model", _models(terms, layout)),
        ("spec: training", _training(spec, terms, steps)),
        ("spec: training.lora", _lora(spec.training, layout)),
        ("spec: rollout", _rollout(spec, spec.data)),
        ("spec: reward", {"environment.env_class": ENVIRONMENT}),
        ("spec: resources", _placement(spec, terms)),
        ("seed", {"trainer.seed": run.seed}),
        ("node", _node(run, layout)),
    ]
    return {key: Setting(value, origin) for origin, keys in groups for key, value in keys.items()}


def updates_per_step(training: Training) -> int:
    """Optimizer updates of one step: SkyRL counts its warmup in them."""
    return training.prompts_per_step // (training.prompts_per_update or training.prompts_per_step)


def engines(spec: Experiment) -> int:
    """Inference engines that fill all GPUs."""
    return spec.resources.devices // spec.rollout.tensor_parallel


def algorithm_keys(terms: Terms, data: Data) -> dict[str, Any]:
    """Return the keys of an algorithm's terms; KeyError for one that SkyRL lacks."""
    keys: dict[str, Any] = {
        f"{ALGORITHM}.advantage_estimator": ADVANTAGES[str(terms.advantage)],
        "generator.n_samples_per_prompt": terms.group_size,
        f"{ALGORITHM}.use_entropy_loss": terms.entropy_coefficient > 0,
        f"{ALGORITHM}.entropy_loss_coef": terms.entropy_coefficient,
        f"{ALGORITHM}.gamma": terms.discount,
        f"{ALGORITHM}.lambd": terms.gae_lambda,
        **_loss(terms),
        **_kl(terms.kl),
    }
    if terms.advantage == "grpo":
        keys[f"{ALGORITHM}.grpo_norm_by_std"] = terms.normalize_by_std
    if terms.loss_aggregation == "sequence_mean_token_scaled":
        keys[f"{ALGORITHM}.max_seq_len"] = data.max_response_tokens
    if terms.critic:
        keys[f"{ALGORITHM}.value_clip"] = terms.critic.clip
    if terms.dynamic_sampling:
        keys[f"{ALGORITHM}.dynamic_sampling.type"] = "filter"
        keys[f"{ALGORITHM}.dynamic_sampling.max_sample_batches"] = _sampled_batches(terms)
    return keys


def _sampled_batches(terms: Terms) -> int:
    """Batches that one step may sample; 30 is SkyRL's own limit (train/config/config.py)."""
    sampling = terms.dynamic_sampling
    return (sampling.max_batches or 30) if sampling else 1


def _loss(terms: Terms) -> dict[str, Any]:
    """The policy loss; SkyRL's `regular` has no dual clip, whatever clip_ratio_c says."""
    loss = "dual_clip" if terms.dual_clip else POLICY_LOSSES[str(terms.policy_loss)]
    keys: dict[str, Any] = {f"{ALGORITHM}.policy_loss_type": loss}
    if terms.loss_aggregation:
        keys[f"{ALGORITHM}.loss_reduction"] = AGGREGATIONS[terms.loss_aggregation]
    if terms.dual_clip:
        keys[f"{ALGORITHM}.clip_ratio_c"] = terms.dual_clip
    if terms.clip:
        name = "cispo.cispo_eps_clip" if loss == "cispo" else "eps_clip"
        keys[f"{ALGORITHM}.{name}_low"] = terms.clip.low
        keys[f"{ALGORITHM}.{name}_high"] = terms.clip.high
    if terms.soft_gate:
        keys[f"{ALGORITHM}.sapo.tau_pos"] = terms.soft_gate.positive
        keys[f"{ALGORITHM}.sapo.tau_neg"] = terms.soft_gate.negative
    return keys


def _kl(kl: Kl | None) -> dict[str, Any]:
    keys: dict[str, Any] = {
        f"{ALGORITHM}.use_kl_loss": kl is not None and kl.in_ == "loss",
        f"{ALGORITHM}.use_kl_in_reward": kl is not None and kl.in_ == "reward",
    }
    if kl:  # one coefficient and one estimator for both places
        keys[f"{ALGORITHM}.kl_loss_coef"] = kl.coefficient
        keys[f"{ALGORITHM}.kl_estimator_type"] = kl.estimator
    return keys


def _data(data: Data, layout: Layout) -> dict[str, Any]:
    return {
        "data.train_data": [layout.train],
        "data.val_data": list(layout.val.values()),
        "trainer.max_prompt_length": data.max_prompt_tokens,
        "generator.sampling_params.max_generate_length": data.max_response_tokens,
    }


def _models(terms: Terms, layout: Layout) -> dict[str, Any]:
    """The policy; the reference defaults to it, the critic starts from it with a new head."""
    keys = {f"{POLICY}.model.path": layout.model}
    return {**keys, f"{CRITIC}.model.path": layout.model} if terms.critic else keys


def _training(spec: Experiment, terms: Terms, steps: int | None) -> dict[str, Any]:
    training = spec.training
    update = training.prompts_per_update or training.prompts_per_step
    sampled = _sampled_batches(terms)
    keys: dict[str, Any] = {
        "trainer.train_batch_size": training.prompts_per_step,
        "trainer.policy_mini_batch_size": update,
        **_micro_batches(training),
        **_optimizer(POLICY, training, training.learning_rate),
        "trainer.max_training_steps": steps,
        # Steps decide; a resumed run and one that leaves prompts out need more epochs than that.
        "trainer.epochs": (training.epochs or steps or 1) * sampled + 2,
        "trainer.ckpt_interval": training.save_every or -1,
        "trainer.eval_interval": training.evaluate_every or -1,
        "trainer.eval_before_train": training.evaluate_before_training,
        "trainer.eval_batch_size": WHOLE_SET,
    }
    if terms.critic:
        keys["trainer.critic_mini_batch_size"] = update
        keys |= _optimizer(CRITIC, training, terms.critic.learning_rate)
    if training.gradient_checkpointing is not None:
        keys["trainer.gradient_checkpointing"] = training.gradient_checkpointing
    return keys


def _micro_batches(training: Training) -> dict[str, Any]:
    """The samples or tokens of one pass; without either SkyRL takes one sample."""
    if training.tokens_per_device is not None:
        return {"trainer.max_tokens_per_microbatch": training.tokens_per_device}
    if training.samples_per_device is None:
        return {}
    return {
        "trainer.micro_train_batch_size_per_gpu": training.samples_per_device,
        "trainer.micro_forward_batch_size_per_gpu": training.samples_per_device,
    }


def _optimizer(model: str, training: Training, rate: float) -> dict[str, Any]:
    config = f"{model}.optimizer_config"
    return {
        f"{config}.lr": rate,
        f"{config}.scheduler": SCHEDULES[training.learning_rate_schedule],
        f"{config}.num_warmup_steps": training.warmup_steps * updates_per_step(training),
        f"{config}.weight_decay": training.weight_decay,
    }


def _lora(training: Training, layout: Layout) -> dict[str, Any]:
    lora = training.lora
    if lora is None:
        return {}
    # In a text PEFT would take the name of a layer for a pattern of its whole path.
    targets = "all-linear" if lora.targets == ("all-linear",) else list(lora.targets)
    return {
        f"{POLICY}.model.lora.rank": lora.rank,
        f"{POLICY}.model.lora.alpha": lora.alpha,
        f"{POLICY}.model.lora.target_modules": targets,
        # The default is one folder for all jobs of a machine.
        f"{POLICY}.model.lora.lora_sync_path": f"{layout.config}/lora",
    }


def _rollout(spec: Experiment, data: Data) -> dict[str, Any]:
    rollout, validation = spec.rollout, spec.rollout.validation or Validation()
    length = data.max_prompt_tokens + data.max_response_tokens
    return {
        f"{ENGINE}.backend": rollout.engine,
        f"{ENGINE}.gpu_memory_utilization": rollout.gpu_memory,
        f"{ENGINE}.engine_init_kwargs.max_model_len": length,
        "generator.sampling_params.temperature": rollout.temperature,
        "generator.sampling_params.top_p": rollout.top_p,
        "generator.eval_n_samples_per_prompt": validation.samples,
        "generator.eval_sampling_params.temperature": validation.temperature,
        "generator.eval_sampling_params.top_p": validation.top_p,
        "generator.eval_sampling_params.max_generate_length": data.max_response_tokens,
    }


def _placement(spec: Experiment, terms: Terms) -> dict[str, Any]:
    """All models on all GPUs, and as many engines as these hold."""
    models = ["policy", "ref", *(["critic"] if terms.critic else [])]
    resources, sequence = spec.resources, spec.training.sequence_parallel
    keys: dict[str, Any] = {
        "trainer.placement.colocate_all": True,
        f"{ENGINE}.num_engines": engines(spec),
        f"{ENGINE}.tensor_parallel_size": spec.rollout.tensor_parallel,
    }
    for model in models:
        keys[f"trainer.placement.{model}_num_nodes"] = resources.nodes
        keys[f"trainer.placement.{model}_num_gpus_per_node"] = resources.gpus_per_node
        if sequence:
            keys[f"trainer.{model}.sequence_parallel_size"] = sequence
    return keys


def _node(run: Run, layout: Layout) -> dict[str, Any]:
    wandb = run.spec.tracking.wandb
    return {
        "trainer.logger": "wandb" if wandb else "console",
        "trainer.project_name": wandb.project if wandb else "rollbook",
        "trainer.run_name": run.experiment.replace("/", "-"),
        "trainer.ckpt_path": layout.checkpoints,
        "trainer.max_ckpts_to_keep": run.spec.checkpoints.keep_last,
        "trainer.resume_mode": "latest",  # the folder is the run's own: no other is found there
        "trainer.export_path": layout.samples,  # answers to validation prompts are dumped there
    }
