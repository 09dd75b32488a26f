"""verl's supervised trainer, as keys of `sft_trainer_engine.yaml`."""

from __future__ import annotations

from typing import Any

from runner.spec.experiment import Run
from runner.spec.training import Training
from runner.trainers import verl_memory
from runner.trainers.base import Layout, Setting

FP32 = {"param_dtype": "fp32", "reduce_dtype": "fp32", "buffer_dtype": "fp32"}


def program(run: Run, layout: Layout) -> tuple[str, ...]:
    """Return the program: one process per device, started by torchrun.

    On several nodes its environment says which of them it is on, and where the first one is
    (`runner.node.ranks.variables`): the command is the same on all.
    """
    resources = run.spec.resources
    alone = ("--standalone",) if resources.nodes == 1 else ()
    return (
        layout.python,
        *("-m", "torch.distributed.run", *alone, f"--nnodes={resources.nodes}"),
        f"--nproc_per_node={max(1, resources.gpus_per_node)}",
        *("-m", "verl.trainer.sft_trainer"),
    )


def settings(run: Run, layout: Layout, steps: int | None) -> dict[str, Setting]:
    """Return verl's keys for a supervised run."""
    groups = [
        ("spec: data", _data(run, layout)),
        ("spec: training", _training(run, steps)),
        ("spec: model", {"model.path": layout.model}),
        ("node", _node(run, layout)),
        ("rollbook", {"checkpoint.save_contents": ["model", "optimizer", "extra", "hf_model"]}),
    ]
    if not run.spec.resources.gpus_per_node:
        groups.append(("cpu", CPU))
    groups.append(("spec: training", _memory(run.spec.training)))
    if run.spec.training.precision == "fp32":
        groups.append(("spec: training.precision", _fp32()))
    return {key: Setting(value, origin) for origin, keys in groups for key, value in keys.items()}


def _data(run: Run, layout: Layout) -> dict[str, Any]:
    data = run.spec.data
    if data is None:
        raise ValueError("a verl run has data")
    val = list(layout.val.values())
    return {
        "data.train_files": layout.train,
        "data.val_files": val or None,
        "data.max_length": data.max_prompt_tokens + data.max_response_tokens,
        "data.truncation": "error",
    }


def _training(run: Run, steps: int | None) -> dict[str, Any]:
    training = run.spec.training
    return {
        "data.train_batch_size": training.prompts_per_step,
        **_micro_batches(run),
        "optim.lr": training.learning_rate,
        "optim.lr_scheduler_type": training.learning_rate_schedule,
        "optim.lr_warmup_steps": training.warmup_steps,
        "optim.weight_decay": training.weight_decay,
        # verl stops at the first of both; resumed at an epoch's boundary it goes through an empty
        # one, so epochs get slack and steps decide (verl #7401).
        "trainer.total_training_steps": steps,
        "trainer.total_epochs": (training.epochs or steps or 1) + 2,
        "trainer.test_freq": training.evaluate_every or -1,
        "trainer.save_freq": training.save_every or -1,
        "trainer.seed": run.seed,
        "engine.seed": run.seed,
    }


def _micro_batches(run: Run) -> dict[str, Any]:
    """The rows of one pass: up to a number of tokens, or as many as the spec says, else all."""
    training = run.spec.training
    per_device = training.prompts_per_step // run.spec.resources.devices
    samples = training.samples_per_device or per_device
    if training.tokens_per_device is None:
        return {"data.micro_batch_size_per_gpu": samples, "data.use_dynamic_bsz": False}
    return {
        # Of validation too: its batches are of this size, whatever the tokens are.
        "data.micro_batch_size_per_gpu": samples,
        "data.use_dynamic_bsz": True,
        "data.max_token_len_per_gpu": training.tokens_per_device,
    }


def _memory(training: Training) -> dict[str, Any]:
    return {
        **verl_memory.lora("model", training.lora),
        **verl_memory.checkpointing("model", training),
        **verl_memory.offload("engine", training.offload),
        **verl_memory.sequences("engine", "model", training),
    }


def _node(run: Run, layout: Layout) -> dict[str, Any]:
    loggers = ["console", "file", *(["wandb"] if run.spec.tracking.wandb else [])]
    wandb = run.spec.tracking.wandb
    return {
        "trainer.logger": loggers,
        "trainer.project_name": wandb.project if wandb else "rollbook",
        "trainer.experiment_name": run.experiment.replace("/", "-"),
        "trainer.default_local_dir": layout.checkpoints,
        "trainer.max_ckpt_to_keep": run.spec.checkpoints.keep_last,
        "trainer.resume_mode": "auto",  # the folder is the run's own: nothing else is found there
        "trainer.n_gpus_per_node": max(1, run.spec.resources.gpus_per_node),
        "trainer.nnodes": run.spec.resources.nodes,
    }


CPU: dict[str, Any] = {
    "trainer.device": "cpu",
    "data.num_workers": 0,
    "model.use_remove_padding": False,
    "+model.override_config.attn_implementation": "sdpa",
    "engine.strategy": "fsdp2",
    "engine.use_torch_compile": False,
}
"""What verl needs on a machine without an accelerator: no flash attention, no compiler."""


def _fp32() -> dict[str, Any]:
    return {
        "engine.model_dtype": "fp32",
        "engine.dtype": "float32",
        "+engine.mixed_precision": FP32,
    }
