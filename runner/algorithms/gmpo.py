"""Geometric-Mean Policy Optimization (Zhao et al. 2025, arXiv 2507.20673).

The loss takes the geometric instead of the arithmetic mean of an answer's token ratios, which
single tokens cannot dominate, and so allows a wider clip. Clip distances are of the ratio's
logarithm, 0.4 as in the paper and in verl's examples/gmpo_trainer.
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


class LogClip(ClipRatio):
    """How far the logarithm of a token's ratio may move in one update: -low to high."""

    low: float = Field(default=0.4, gt=0, le=1, description="Lower clip distance.")
    high: float = Field(default=0.4, gt=0, le=10, description="Upper clip distance.")


class Gmpo(PolicyGradient):
    """GRPO whose loss takes the geometric mean of an answer's token ratios."""

    name: Literal["gmpo"] = Field(description="Geometric-Mean Policy Optimization.")
    group_size: GroupSize = 8
    clip_ratio: LogClip = Field(
        default=default(LogClip), description="Clip distances of the ratio's logarithm."
    )
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0

    # Group-relative advantage, geometric-mean loss: the mean over answers is part of it.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "geometric_mean",
    }
