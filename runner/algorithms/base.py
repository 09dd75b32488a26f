"""What an algorithm is to the rest of the product: a section of the spec that states its terms.

Algorithms and trainers meet in `Terms`: an algorithm says in the field's neutral vocabulary what
it is, a trainer says how it spells each term. Neither knows the other.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from pydantic import Field

from runner.spec.section import Section

KlEstimator = Literal["k1", "k2", "k3", "abs"]
LossAggregation = Literal[
    "token_mean",
    "sequence_mean_token_sum",
    "sequence_mean_token_mean",
    "sequence_mean_token_scaled",
]


class Kl(Section):
    """A penalty for moving away from the reference model."""

    in_: Literal["loss", "reward"] = Field(
        default="loss", alias="in", description="Where the penalty enters: the loss or the reward."
    )
    coefficient: float = Field(gt=0, le=100, description="Weight of the penalty.")
    estimator: KlEstimator = Field(
        default="k3",
        description="Estimator of the divergence (Schulman 2020); k3 is never negative.",
    )


class ClipRatio(Section):
    """How far the probability ratio may move in one update: 1 - low to 1 + high."""

    low: float = Field(default=0.2, gt=0, lt=1, description="Lower clip distance.")
    high: float = Field(default=0.2, gt=0, le=10, description="Upper clip distance.")


class Terms(Section):
    """An algorithm in neutral words; a trainer spells them as its own keys, or refuses them."""

    stage: Literal["sft", "rl", "preference"]
    advantage: str | None = None
    """Advantage estimator: `grpo`, `gae`, `rloo`, …; none for supervised training."""
    policy_loss: str | None = None
    """`vanilla` (clipped surrogate), `gspo`, `cispo`, …; none for supervised training."""
    loss_aggregation: LossAggregation | None = None
    group_size: int = 1
    """Answers sampled per prompt."""
    clip: ClipRatio | None = None
    kl: Kl | None = None
    entropy_coefficient: float = 0.0

    @property
    def needs_reward(self) -> bool:
        """Whether answers are scored by a reward function."""
        return self.stage == "rl"


class AlgorithmConfig(Section):
    """Base of every algorithm's section; `name` selects the class."""

    @abstractmethod
    def terms(self) -> Terms:
        """Return what this algorithm is, in neutral words."""
