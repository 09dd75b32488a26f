"""Group Relative Policy Optimization (Shao et al. 2024, arXiv 2402.03300)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.algorithms.base import (
    AlgorithmConfig,
    ClipRatio,
    DualClip,
    DynamicSampling,
    Kl,
    LossAggregation,
    OverlongPenalty,
    Terms,
)


class Grpo(AlgorithmConfig):
    """The advantage of an answer is its reward against the other answers to the same prompt."""

    name: Literal["grpo"] = Field(description="Group Relative Policy Optimization.")
    group_size: int = Field(
        default=8,
        ge=2,
        le=1024,
        description="Answers sampled per prompt; with one there is no baseline to compare with.",
    )
    clip_ratio: ClipRatio = Field(
        default=ClipRatio(), description="Clip distances of the probability ratio."
    )
    kl: Kl | None = Field(
        default=None,
        description="Penalty for moving away from the reference model; none by default.",
    )
    entropy_coefficient: float = Field(
        default=0.0, ge=0, le=1, description="Weight of the entropy bonus in the loss."
    )
    loss_aggregation: LossAggregation = Field(
        default="token_mean",
        description="How token losses become one number; token_mean is verl's default.",
    )
    dual_clip: DualClip = None
    dynamic_sampling: DynamicSampling | None = Field(
        default=None, description="Replace groups without a signal, as DAPO does."
    )
    overlong_penalty: OverlongPenalty | None = Field(
        default=None, description="Soft penalty near the length limit, as DAPO has it."
    )

    def terms(self) -> Terms:
        """GRPO: group-relative advantage, clipped surrogate loss."""
        return Terms(
            stage="rl",
            advantage="grpo",
            policy_loss="vanilla",
            loss_aggregation=self.loss_aggregation,
            group_size=self.group_size,
            clip=self.clip_ratio,
            dual_clip=self.dual_clip,
            kl=self.kl,
            entropy_coefficient=self.entropy_coefficient,
            dynamic_sampling=self.dynamic_sampling,
            overlong_penalty=self.overlong_penalty,
        )
