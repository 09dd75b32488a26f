"""Group Relative Policy Optimization (Shao et al. 2024, arXiv 2402.03300)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    Clip,
    ClipRatio,
    DualClip,
    DynamicSampling,
    EntropyCoefficient,
    Fixed,
    GroupSize,
    OptionalKl,
    OverlongPenalty,
    PolicyGradient,
    TokenMean,
)
from runner.spec.section import default


class Grpo(PolicyGradient):
    """The advantage of an answer is its reward against the other answers to the same prompt."""

    name: Literal["grpo"] = Field(description="Group Relative Policy Optimization.")
    group_size: GroupSize = 8
    clip_ratio: Clip = default(ClipRatio)
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"
    dual_clip: DualClip = None
    dynamic_sampling: DynamicSampling | None = Field(
        default=None, description="Replace groups without a signal, as DAPO does."
    )
    overlong_penalty: OverlongPenalty | None = Field(
        default=None, description="Soft penalty near the length limit, as DAPO has it."
    )

    # GRPO: group-relative advantage, clipped surrogate loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "vanilla",
    }
