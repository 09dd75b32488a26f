"""Soft Adaptive Policy Optimization (Gao et al. 2025, arXiv 2511.20347).

A sigmoid of the ratio takes the place of clipping. Its temperatures are the paper's, the group of
16 is that of verl's examples/sapo_trainer.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    EntropyCoefficient,
    Fixed,
    GroupSize,
    OptionalKl,
    PolicyGradient,
    SoftGate,
)
from runner.spec.section import default


class Sapo(PolicyGradient):
    """GRPO with a smooth gate around a ratio of 1 instead of a clip."""

    name: Literal["sapo"] = Field(description="Soft Adaptive Policy Optimization.")
    group_size: GroupSize = 16
    soft_gate: SoftGate = Field(
        default=default(SoftGate),
        description="Temperatures of the gate; higher is closer to a clip.",
    )
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0

    # Group-relative advantage, gated loss, mean over each answer and then over answers.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "sapo",
        "loss_aggregation": "sequence_mean_token_mean",
    }
