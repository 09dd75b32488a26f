"""Dr. GRPO: GRPO Done Right (Liu et al. 2025, arXiv 2503.20783).

Two divisions of GRPO are left out, which the paper shows to bias it: by the standard deviation of a
group's rewards, and by an answer's own length. No KL penalty, as in the paper; the group of 8 and
the clip distances are its too.
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
    OptionalKl,
    PolicyGradient,
)
from runner.spec.section import default


class DrGrpo(PolicyGradient):
    """GRPO without its divisions by the rewards' deviation and by the answer's length."""

    name: Literal["dr_grpo"] = Field(description="GRPO Done Right.")
    group_size: GroupSize = 8
    clip_ratio: Clip = default(ClipRatio)
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0

    # Group-relative advantage as a plain difference; token losses over a constant length.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "vanilla",
        "loss_aggregation": "sequence_mean_token_scaled",
        "normalize_by_std": False,
    }
