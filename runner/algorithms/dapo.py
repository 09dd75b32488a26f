"""Decoupled Clip and Dynamic sAmpling Policy Optimization (Yu et al. 2025, arXiv 2503.14476).

Group size, clip distances, token-level loss, dynamic sampling by accuracy and the absence of a KL
penalty are the paper's; the dual clip of 10 is that of its recipe for verl. The paper's penalty for
overlong answers falls over the last 4096 of 20480 tokens: it depends on the longest answer, so that
it has no default here.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from runner.algorithms.base import (
    ClipRatio,
    DualClip,
    DynamicSampling,
    EntropyCoefficient,
    Fixed,
    GroupSize,
    OptionalKl,
    OverlongPenalty,
    PolicyGradient,
)
from runner.spec.section import default


class DecoupledClip(ClipRatio):
    """How far the probability ratio may move in one update; further up than down."""

    high: float = Field(default=0.28, gt=0, le=10, description="Upper clip distance.")


class Dapo(PolicyGradient):
    """GRPO that clips upwards later and replaces groups whose answers all score the same."""

    name: Literal["dapo"] = Field(
        description="Decoupled Clip and Dynamic sAmpling Policy Optimization."
    )
    group_size: GroupSize = 16
    clip_ratio: DecoupledClip = Field(
        default=default(DecoupledClip), description="Clip distances of the probability ratio."
    )
    dual_clip: DualClip = 10.0
    dynamic_sampling: DynamicSampling | None = Field(
        default=default(DynamicSampling),
        description="Replace groups without a signal; null trains on what was sampled first.",
    )
    overlong_penalty: OverlongPenalty | None = Field(
        default=None, description="Soft penalty near the length limit; none by default."
    )
    kl: OptionalKl = None
    entropy_coefficient: EntropyCoefficient = 0.0

    # Group-relative advantage, asymmetric clip, mean over all tokens, refilled batches.
    FIXED: ClassVar[Fixed] = {
        "advantage": "grpo",
        "policy_loss": "vanilla",
        "loss_aggregation": "token_mean",
    }
