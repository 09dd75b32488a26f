"""Group Policy Gradient (Chu et al. 2025, arXiv 2504.02546).

The plain policy gradient: no ratio, no clip, no reference model. Advantages are the group's
differences, scaled up by the share of answers that carry a signal.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    EntropyCoefficient,
    Fixed,
    GroupSize,
    PolicyGradient,
    TokenMean,
)


class Gpg(PolicyGradient):
    """Log-probabilities weighted with the difference from the group's mean reward."""

    name: Literal["gpg"] = Field(description="Group Policy Gradient.")
    group_size: GroupSize = 8
    entropy_coefficient: EntropyCoefficient = 0.0
    loss_aggregation: TokenMean = "token_mean"

    # Group-relative advantage rescaled for silent groups, plain policy gradient.
    FIXED: ClassVar[Fixed] = {
        "advantage": "gpg",
        "policy_loss": "gpg",
        "normalize_by_std": False,
    }
