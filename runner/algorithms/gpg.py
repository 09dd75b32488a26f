"""Group Policy Gradient (Chu et al. 2025, arXiv 2504.02546).

The plain policy gradient: no ratio, no clip, no reference model. Advantages are the group's
differences, scaled up by the share of answers that carry a signal.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.algorithms.base import (
    AlgorithmConfig,
    EntropyCoefficient,
    GroupSize,
    LossAggregation,
    Terms,
)


class Gpg(AlgorithmConfig):
    """Log-probabilities weighted with the difference from the group's mean reward."""

    name: Literal["gpg"] = Field(description="Group Policy Gradient.")
    group_size: GroupSize = 8
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: LossAggregation = Field(
        default="token_mean",
        description="How token losses become one number; token_mean is verl's default.",
    )

    def terms(self) -> Terms:
        """Group-relative advantage rescaled for silent groups, plain policy gradient."""
        return Terms(
            stage="rl",
            advantage="gpg",
            policy_loss="gpg",
            loss_aggregation=self.loss_aggregation,
            group_size=self.group_size,
            normalize_by_std=False,
            entropy_coefficient=self.entropy_coefficient,
        )
