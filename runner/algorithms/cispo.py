"""Clipped Importance Sampling Policy Optimization (MiniMax 2025, arXiv 2506.13585).

The clipped ratio is only a weight of the gradient: no token's gradient is lost, as it is where PPO
clips. No bound below, as in the paper; the upper one of 0.2 is that of verl's
examples/cispo_trainer, while others go up to 4 (Khatri et al. 2025, arXiv 2510.13786).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    ClipRatio,
    EntropyCoefficient,
    Fixed,
    GroupSize,
    LossAggregation,
    OptionalKl,
    PolicyGradient,
)
from runner.spec.section import default


class WeightClip(ClipRatio):
    """Bounds of the weight that a token's gradient gets: 1 - low to 1 + high."""

    low: float = Field(
        default=1.0, gt=0, le=1, description="Lower clip distance; 1, the paper's, is no bound."
    )


class Cispo(PolicyGradient):
    """GRPO with a clipped ratio as the weight of each token's gradient."""

    name: Literal["cispo"] = Field(description="Clipped Importance Sampling Policy Optimization.")
    group_size: GroupSize = 8
    clip_ratio: WeightClip = Field(
        default=default(WeightClip), description="Bounds of the importance weight."
    )
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: LossAggregation = Field(
        default="token_mean",
        description="How token losses become one number; token_mean is the paper's.",
    )

    # Group-relative advantage, weighted REINFORCE loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "cispo",
    }
