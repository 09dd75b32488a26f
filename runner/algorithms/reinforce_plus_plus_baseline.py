"""REINFORCE++ with a baseline (Hu et al. 2025, arXiv 2501.03262).

The paper's variant for tasks with several answers per prompt: the group's mean is the baseline, the
whole batch gives the deviation, and the KL penalty is a loss with the estimator k2. The group of 8
and the coefficient are those of verl's examples/reinforce_plus_plus_trainer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    Clip,
    ClipRatio,
    EntropyCoefficient,
    Fixed,
    GroupSize,
    Kl,
    KlEstimator,
    PolicyGradient,
    TokenMean,
)
from runner.spec.section import default


class KlAsSquare(Kl):
    """A penalty in the loss, the square of the log ratio."""

    coefficient: float = Field(
        default=0.001, gt=0, le=100, description="Weight of the penalty; 0.001 in verl's examples."
    )
    estimator: KlEstimator = Field(
        default="k2",
        description="Estimator of the divergence (Schulman 2020); k2 has the right gradient in a "
        "loss.",
    )


class ReinforcePlusPlusBaseline(PolicyGradient):
    """The group's mean reward is taken off, then advantages are normalized over the batch."""

    name: Literal["reinforce_plus_plus_baseline"] = Field(
        description="REINFORCE++ with a group's mean as baseline."
    )
    group_size: GroupSize = 8
    clip_ratio: Clip = default(ClipRatio)
    kl: KlAsSquare | None = Field(
        default=default(KlAsSquare),
        description="Penalty for moving away from the reference model; null for none.",
    )
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"

    # Group mean as baseline, deviation of the batch, clipped surrogate loss.
    FIXED: ClassVar[Fixed] = {
        "advantage": "reinforce_plus_plus_baseline",
        "policy_loss": "vanilla",
        "normalize_by_std": False,
    }
