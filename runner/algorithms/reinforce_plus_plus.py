"""REINFORCE++ (Hu et al. 2025, arXiv 2501.03262).

REINFORCE with PPO's clip, a KL penalty in the reward, and advantages normalized over the whole
batch instead of a group: one answer per prompt is enough, as in the paper. The coefficient is that
of verl's examples/reinforce_plus_plus_trainer.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    Clip,
    ClipRatio,
    Discount,
    EntropyCoefficient,
    Fixed,
    KlInReward,
    PolicyGradient,
    RewardKl,
    TokenMean,
)
from runner.spec.section import default


class ReinforcePlusPlus(PolicyGradient):
    """Rewards are normalized over the whole batch; there is neither a critic nor a group."""

    name: Literal["reinforce_plus_plus"] = Field(description="REINFORCE++.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Answers sampled per prompt; they are not compared with each other."
    )
    discount: Discount = 1.0
    clip_ratio: Clip = default(ClipRatio)
    kl: RewardKl = default(KlInReward)
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"

    # Returns normalized over the batch, clipped surrogate loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "reinforce_plus_plus",
        "policy_loss": "vanilla",
        "normalize_by_std": False,
    }
