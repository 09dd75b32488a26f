"""verl's reinforcement-learning trainer, as keys of `ppo_trainer.yaml`."""

from __future__ import annotations

from typing import Any

from runner.algorithms.base import Terms
from runner.spec.experiment import Data, Run
from runner.spec.rollout import MultiTurn, Validation
from runner.spec.training import Training
from runner.trainers import verl_algorithm, verl_critic, verl_memory
from runner.trainers.base import Layout, Setting
from runner.trainers.verl_algorithm import ACTOR, ROLLOUT
from runner.trainers.verl_sft import FP32

MODEL = "actor_rollout_ref.model"
REFERENCE = "actor_rollout_ref.ref"


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
        (f"algorithm: {spec.algorithm.name}", verl_algorithm.settings(terms, spec.data)),
        ("spec: data", _data(spec.data, layout)),
        ("spec: model", {f"{MODEL}.path": layout.model}),
        ("spec: training", _training(run, terms, steps)),
        ("spec: training", _memory(spec.training, terms)),
        ("spec: rollout", _rollout(run, spec.data, layout)),
        ("seed", _seeds(run.seed)),
        ("node", _node(run, layout)),
    ]
    if spec.reward:
        groups.append(("spec: reward", _reward(layout)))
    if not spec.resources.gpus_per_node:
        groups.append(("cpu", _cpu(run, spec.data, terms, layout)))
    if spec.training.precision == "fp32":
        groups.append(("spec: training.precision", _fp32(terms)))
    if terms.critic:
        samples = samples_at_once(run, terms)
        groups += verl_critic.settings(run, terms.critic, layout, samples)
    return {key: Setting(value, origin) for origin, keys in groups for key, value in keys.items()}


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
    samples = samples_at_once(run, terms)
    if samples is None:
        dynamic: dict[str, Any] = {
            f"{ACTOR}.use_dynamic_bsz": True,
            f"{ROLLOUT}.log_prob_use_dynamic_bsz": True,
            f"{REFERENCE}.log_prob_use_dynamic_bsz": True,
        }
        if tokens := run.spec.training.tokens_per_device:
            # Rollout and reference take the policy's.
            dynamic[f"{ACTOR}.ppo_max_token_len_per_gpu"] = tokens
        return dynamic
    return {
        f"{ACTOR}.ppo_micro_batch_size_per_gpu": samples,
        f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": samples,
        f"{REFERENCE}.log_prob_micro_batch_size_per_gpu": samples,
    }


def samples_at_once(run: Run, terms: Terms) -> int | None:
    """Return the samples of one pass on one device; None where they are packed by tokens."""
    training, resources = run.spec.training, run.spec.resources
    if training.samples_per_device:
        return training.samples_per_device
    if training.tokens_per_device or resources.gpus_per_node:
        return None
    update = (training.prompts_per_update or training.prompts_per_step) * terms.group_size
    return update // resources.devices


def _memory(training: Training, terms: Terms) -> dict[str, Any]:
    rests = training.offload
    keys = {
        **verl_memory.lora(MODEL, training.lora),
        **verl_memory.checkpointing(MODEL, training),
        **verl_memory.offload(f"{ACTOR}.fsdp_config", rests),
        **verl_memory.sequences(ACTOR, MODEL, training),
    }
    if training.lora:
        # Whole weights go to the rollout: any rank and any layer, as the engine knows no adapter.
        keys[f"{MODEL}.lora.merge"] = True
    if rests and terms.needs_reference:
        keys[f"{REFERENCE}.fsdp_config.param_offload"] = rests.reference
    return keys


def _rollout(run: Run, data: Data, layout: Layout) -> dict[str, Any]:
    rollout = run.spec.rollout
    return {
        f"{ROLLOUT}.name": rollout.engine,
        f"{ROLLOUT}.tensor_model_parallel_size": rollout.tensor_parallel,
        f"{ROLLOUT}.gpu_memory_utilization": rollout.gpu_memory,
        f"{ROLLOUT}.temperature": rollout.temperature,
        f"{ROLLOUT}.top_p": rollout.top_p,
        f"{ROLLOUT}.max_model_len": data.max_prompt_tokens + data.max_response_tokens,
        **(_multi_turn(rollout.multi_turn, layout) if rollout.multi_turn else {}),
        **(_validation(rollout.validation) if rollout.validation else {}),
    }


def _multi_turn(turns: MultiTurn, layout: Layout) -> dict[str, Any]:
    """Tools are the functions that the file registers with verl's `function_tool`."""
    return {
        f"{ROLLOUT}.multi_turn.enable": True,
        f"{ROLLOUT}.multi_turn.function_tool_path": f"{layout.code}/{turns.tools}",
        f"{ROLLOUT}.multi_turn.format": turns.format,
        f"{ROLLOUT}.multi_turn.max_assistant_turns": turns.max_turns,
        f"{ROLLOUT}.agent.default_agent_loop": "tool_agent",
    }


def _validation(validation: Validation) -> dict[str, Any]:
    return {
        f"{ROLLOUT}.val_kwargs.n": validation.samples,
        f"{ROLLOUT}.val_kwargs.do_sample": validation.temperature > 0,
        f"{ROLLOUT}.val_kwargs.temperature": validation.temperature,
        f"{ROLLOUT}.val_kwargs.top_p": validation.top_p,
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
    keys = {
        "trainer.device": "cpu",
        "data.dataloader_num_workers": 0,
        f"{MODEL}.use_remove_padding": False,
        f"+{MODEL}.override_config.attn_implementation": "sdpa",
        f"{MODEL}.enable_gradient_checkpointing": bool(run.spec.training.gradient_checkpointing),
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
    }
    if terms.needs_reference:
        keys[f"{REFERENCE}.fsdp_config.use_torch_compile"] = False
    return {**keys, **_small_queue(terms, layout)}


def _small_queue(terms: Terms, layout: Layout) -> dict[str, Any]:
    """The newer trainer's queue of samples, with one process, and looked into more often."""
    if terms.advantage == "remax":  # the older trainer has none
        return {}
    keys: dict[str, Any] = {"transfer_queue.backend.SimpleStorage.num_data_storage_units": 1}
    if terms.dynamic_sampling:  # a sampler of one's own is not told of groups to leave out
        return keys
    return {
        **keys,
        "trainer.v1.sampler.custom_sampler.path": f"{layout.inside}/rollbook_sampler.py",
        "trainer.v1.sampler.custom_sampler.name": "PromptSampler",
    }


def _fp32(terms: Terms) -> dict[str, Any]:
    keys: dict[str, Any] = {
        f"{ACTOR}.fsdp_config.dtype": "float32",
        f"+{ACTOR}.fsdp_config.mixed_precision": FP32,
        f"{ROLLOUT}.dtype": "float32",
    }
    if terms.needs_reference:
        keys[f"{REFERENCE}.fsdp_config.dtype"] = "float32"
        keys[f"+{REFERENCE}.fsdp_config.mixed_precision"] = FP32
    return keys
