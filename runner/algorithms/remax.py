"""ReMax (Li et al. 2023, arXiv 2310.10505).

REINFORCE whose baseline is the reward of the greedy answer to the same prompt: one more answer per
prompt is generated instead of a critic. One sampled answer per prompt as in the paper; the penalty
in the reward has the coefficient and estimator of verl's examples/remax_trainer.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    ClipRatio,
    EntropyCoefficient,
    Fixed,
    KlInReward,
    PolicyGradient,
    RewardKl,
    SpareClip,
    TokenMean,
)
from runner.spec.section import default


class Remax(PolicyGradient):
    """An answer is compared with the greedy answer to the same prompt."""

    name: Literal["remax"] = Field(description="ReMax.")
    group_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Answers sampled per prompt, besides the greedy one."
    )
    clip_ratio: SpareClip = default(ClipRatio)
    kl: RewardKl = default(KlInReward)
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"

    # Greedy answer as baseline, clipped surrogate loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "remax",
        "policy_loss": "vanilla",
        "normalize_by_std": False,
    }
