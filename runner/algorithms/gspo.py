"""Group Sequence Policy Optimization (Zheng et al. 2025, arXiv 2507.18071).

The probability ratio, its clip and the loss are those of a whole answer instead of a token; rows
are the same as for GRPO. Clip distances are the paper's (section 5.1); the group of 16 is that of
verl's examples/gspo_trainer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    ClipRatio,
    EntropyCoefficient,
    Fixed,
    GroupSize,
    OptionalKl,
    PolicyGradient,
)
from runner.spec.section import default


class SequenceClip(ClipRatio):
    """How far an answer's ratio, a geometric mean over its tokens, may move in one update."""

    low: float = Field(default=3.0e-4, gt=0, le=1, description="Lower clip distance.")
    high: float = Field(default=4.0e-4, gt=0, le=10, description="Upper clip distance.")


class Gspo(PolicyGradient):
    """GRPO whose probability ratio is that of the whole answer."""

    name: Literal["gspo"] = Field(description="Group Sequence Policy Optimization.")
    group_size: GroupSize = 16
    clip_ratio: SequenceClip = Field(
        default=default(SequenceClip), description="Clip distances of an answer's ratio."
    )
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0

    # Group-relative advantage, clipped surrogate of sequences.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "gspo",
        "loss_aggregation": "sequence_mean_token_mean",
    }
