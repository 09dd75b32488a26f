"""REINFORCE Leave-One-Out (Ahmadian et al. 2024, arXiv 2402.14740; Kool et al. 2019).

The group of 4 is the larger of the paper's two; the penalty in the reward is the paper's, with the
coefficient and estimator of verl's examples/rloo_trainer.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.algorithms.base import (
    AlgorithmConfig,
    ClipRatio,
    EntropyCoefficient,
    GroupSize,
    KlInReward,
    LossAggregation,
    Terms,
)


class Rloo(AlgorithmConfig):
    """An answer is compared with the mean reward of the other answers to the same prompt."""

    name: Literal["rloo"] = Field(description="REINFORCE Leave-One-Out.")
    group_size: GroupSize = 4
    clip_ratio: ClipRatio = Field(
        default=ClipRatio(),
        description="Clip distances of the probability ratio; without effect where a step is one "
        "update.",
    )
    kl: KlInReward | None = Field(
        default=KlInReward(),
        description="Penalty for moving away from the reference model; null for none.",
    )
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: LossAggregation = Field(
        default="token_mean",
        description="How token losses become one number; token_mean is verl's default.",
    )

    def terms(self) -> Terms:
        """Leave-one-out baseline, clipped surrogate loss."""
        return Terms(
            stage="rl",
            advantage="rloo",
            policy_loss="vanilla",
            loss_aggregation=self.loss_aggregation,
            group_size=self.group_size,
            normalize_by_std=False,
            clip=self.clip_ratio,
            kl=self.kl,
            entropy_coefficient=self.entropy_coefficient,
        )
