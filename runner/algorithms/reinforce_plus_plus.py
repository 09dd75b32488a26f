"""REINFORCE++ (Hu et al. 2025, arXiv 2501.03262).

REINFORCE with PPO's clip, a KL penalty in the reward, and advantages normalized over the whole
batch instead of a group: one answer per prompt is enough, as in the paper. The coefficient is that
of verl's examples/reinforce_plus_plus_trainer.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.algorithms.base import (
    AlgorithmConfig,
    ClipRatio,
    EntropyCoefficient,
    KlInReward,
    LossAggregation,
    Terms,
)


class ReinforcePlusPlus(AlgorithmConfig):
    """Rewards are normalized over the whole batch; there is neither a critic nor a group."""

    name: Literal["reinforce_plus_plus"] = Field(description="REINFORCE++.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Answers sampled per prompt; they are not compared with each other."
    )
    discount: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Gamma: what a reward one token later is worth."
    )
    clip_ratio: ClipRatio = Field(
        default=ClipRatio(), description="Clip distances of the probability ratio."
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
        """Returns normalized over the batch, clipped surrogate loss."""
        return Terms(
            stage="rl",
            advantage="reinforce_plus_plus",
            policy_loss="vanilla",
            loss_aggregation=self.loss_aggregation,
            group_size=self.group_size,
            normalize_by_std=False,
            clip=self.clip_ratio,
            kl=self.kl,
            entropy_coefficient=self.entropy_coefficient,
            discount=self.discount,
        )
