"""How answers are sampled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.spec.section import Positive, RelativePath, Section, Share


class MultiTurn(Section):
    """Conversations of several turns, in which the policy may call tools."""

    tools: RelativePath = Field(
        description="Python file of the repository that defines the tools (docs/tools.md)."
    )
    format: str = Field(
        default="hermes",
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="How the model's template writes a tool call.",
    )
    max_turns: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="Turns of the policy in one conversation, tool calls included."
    )


class Validation(Section):
    """Sampling of answers during validation."""

    samples: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Answers per prompt: accuracy is their mean (avg@k)."
    )
    temperature: float = Field(
        default=0.0, ge=0, le=10, description="Sampling temperature; 0 is greedy."
    )
    top_p: Share = Field(default=1.0, description="Nucleus sampling threshold.")


class Rollout(Section):
    """How answers are sampled during reinforcement learning."""

    engine: Literal["vllm"] = Field(default="vllm", description="Inference engine.")
    tensor_parallel: Positive = Field(default=1, description="GPUs that share one engine.")
    gpu_memory: Share = Field(default=0.6, description="Share of GPU memory for the engine.")
    temperature: float = Field(default=1.0, ge=0, le=10, description="Sampling temperature.")
    top_p: Share = Field(default=1.0, description="Nucleus sampling threshold.")
    multi_turn: MultiTurn | None = Field(
        default=None, description="Let the policy call tools and answer again."
    )
    validation: Validation | None = Field(
        default=None, description="Sampling during validation. None: one greedy answer per prompt."
    )
