"""REINFORCE Leave-One-Out (Ahmadian et al. 2024, arXiv 2402.14740; Kool et al. 2019).

The group of 4 is the larger of the paper's two; the penalty in the reward is the paper's, with the
coefficient and estimator of verl's examples/rloo_trainer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    ClipRatio,
    EntropyCoefficient,
    Fixed,
    GroupSize,
    KlInReward,
    PolicyGradient,
    RewardKl,
    SpareClip,
    TokenMean,
)
from runner.spec.section import default


class Rloo(PolicyGradient):
    """An answer is compared with the mean reward of the other answers to the same prompt."""

    name: Literal["rloo"] = Field(description="REINFORCE Leave-One-Out.")
    group_size: GroupSize = 4
    clip_ratio: SpareClip = default(ClipRatio)
    kl: RewardKl = default(KlInReward)
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"

    # Leave-one-out baseline, clipped surrogate loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "rloo",
        "policy_loss": "vanilla",
        "normalize_by_std": False,
    }
