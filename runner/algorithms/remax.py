"""ReMax (Li et al. 2023, arXiv 2310.10505).

REINFORCE whose baseline is the reward of the greedy answer to the same prompt: one more answer per
prompt is generated instead of a critic. One sampled answer per prompt as in the paper; the penalty
in the reward has the coefficient and estimator of verl's examples/remax_trainer.
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


class Remax(AlgorithmConfig):
    """An answer is compared with the greedy answer to the same prompt."""

    name: Literal["remax"] = Field(description="ReMax.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Answers sampled per prompt, besides the greedy one."
    )
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
        """Greedy answer as baseline, clipped surrogate loss."""
        return Terms(
            stage="rl",
            advantage="remax",
            policy_loss="vanilla",
            loss_aggregation=self.loss_aggregation,
            group_size=self.group_size,
            normalize_by_std=False,
            clip=self.clip_ratio,
            kl=self.kl,
            entropy_coefficient=self.entropy_coefficient,
        )
