"""How long, how fast and within which memory to train."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.spec.section import Positive, Section


class Lora(Section):
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=1024)] = Field(description="Rank of the adapters.")
    alpha: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="Scale of the adapters: their output counts alpha / rank."
    )
    targets: tuple[str, ...] = Field(
        default=("all-linear",),
        strict=False,
        min_length=1,
        description="Names of layers that get adapters; all-linear stands for every linear one.",
    )


class Offload(Section):
    """What rests in the host's memory while it is not used."""

    parameters: bool = Field(default=False, description="The policy's weights.")
    optimizer: bool = Field(default=False, description="The optimizer's states.")
    reference: bool = Field(default=False, description="The reference model's weights.")


class Training(Section):
    """How long and how fast to train. A step is one iteration of the trainer's outer loop."""

    epochs: Positive | None = Field(default=None, description="Passes over the training set.")
    steps: Positive | None = Field(default=None, description="Steps in all; wins over epochs.")
    prompts_per_step: Positive = Field(
        description="Prompts of one step (rows, in supervised training), over all devices."
    )
    prompts_per_update: Positive | None = Field(
        default=None, description="Prompts of one optimizer update; default: prompts_per_step."
    )
    samples_per_device: Positive | None = Field(
        default=None,
        description="Samples of one forward and backward pass on one device (the micro batch).",
    )
    learning_rate: float = Field(ge=0, le=1, description="Peak learning rate.")
    learning_rate_schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="Course of the learning rate after the warmup."
    )
    warmup_steps: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Steps over which the learning rate rises from 0."
    )
    weight_decay: float = Field(default=0.01, ge=0, le=1, description="AdamW's weight decay.")
    precision: Literal["bf16", "fp32"] = Field(
        default="bf16", description="Number format of training and rollout."
    )
    save_every: Positive | None = Field(
        default=None, description="Steps between checkpoints; the last step saves too. None: never."
    )
    evaluate_every: Positive | None = Field(
        default=None, description="Steps between validations. None: never."
    )
    evaluate_before_training: bool = Field(
        default=False, description="Validate at step 0: the baseline that `first` means in expect."
    )
    tokens_per_device: Positive | None = Field(
        default=None,
        description="Tokens of one forward and backward pass on one device: answers are packed "
        "up to it (dynamic batches), instead of `samples_per_device`.",
    )
    gradient_checkpointing: bool | None = Field(
        default=None,
        description="Compute activations again in the backward pass to save memory. None: the "
        "trainer's default.",
    )
    sequence_parallel: Positive | None = Field(
        default=None, description="Devices that share one sequence (Ulysses). None: one."
    )
    offload: Offload | None = Field(
        default=None, description="What rests in the host's memory while it is not used."
    )
    lora: Lora | None = Field(
        default=None, description="Train low-rank adapters instead of all weights."
    )
