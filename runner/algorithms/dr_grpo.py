"""Dr. GRPO: GRPO Done Right (Liu et al. 2025, arXiv 2503.20783).

Two divisions of GRPO are left out, which the paper shows to bias it: by the standard deviation of a
group's rewards, and by an answer's own length. No KL penalty, as in the paper; the group of 8 and
the clip distances are its too.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.algorithms.base import (
    AlgorithmConfig,
    ClipRatio,
    EntropyCoefficient,
    GroupSize,
    OptionalKl,
    Terms,
)


class DrGrpo(AlgorithmConfig):
    """GRPO without its divisions by the rewards' deviation and by the answer's length."""

    name: Literal["dr_grpo"] = Field(description="GRPO Done Right.")
    group_size: GroupSize = 8
    clip_ratio: ClipRatio = Field(
        default=ClipRatio(), description="Clip distances of the probability ratio."
    )
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0

    def terms(self) -> Terms:
        """Group-relative advantage as a plain difference; token losses over a constant length."""
        return Terms(
            stage="rl",
            advantage="grpo",
            policy_loss="vanilla",
            loss_aggregation="sequence_mean_token_scaled",
            group_size=self.group_size,
            normalize_by_std=False,
            clip=self.clip_ratio,
            kl=self.kl,
            entropy_coefficient=self.entropy_coefficient,
        )
