"""How far a repeat's metric may be from the original's at one step, for the curve level.

The limit is 2 % of the original's value, or the metric's floor where that is more. A floor is what
a metric moves by when floating-point sums are taken in another order and a few sampled tokens come
out otherwise; it keeps a value near zero from having no tolerance at all. They are conventions of
this product, stated with every verdict, and no property of any trainer.
"""

from __future__ import annotations

import re

from runner import metrics

RELATIVE = 0.02
"""Share of the original's value."""

FLOORS: dict[str, float] = {
    "reward/mean": 0.02,
    "reward/max": 0.1,
    "reward/min": 0.1,
    "val/<set>/accuracy": 0.01,
    "val/<set>/pass_at_k": 0.01,
    "val/<set>/reward": 0.01,
    "val/<set>/loss": 0.005,
    "val/<set>/token_accuracy": 0.01,
    "val/<set>/preference_accuracy": 0.01,
    "val/<set>/preference_margin": 0.02,
    "val/loss": 0.005,
    "train/loss": 0.005,
    "train/token_accuracy": 0.01,
    "preference/loss": 0.005,
    "preference/accuracy": 0.01,
    "preference/margin": 0.02,
    "preference/chosen_reward": 0.02,
    "preference/rejected_reward": 0.02,
    "policy/loss": 0.005,
    "policy/clip_fraction": 0.005,
    "policy/entropy": 0.02,
    "value/loss": 0.005,
    "kl/reference": 0.002,
    "kl/old_policy": 0.002,
    "advantage/mean": 0.02,
    "response/length": 1.0,
    "response/clip_ratio": 0.02,
    "prompt/length": 0.0,
    "gradient/norm": 0.02,
    "learning_rate": 0.0,
    "rollout/turns": 0.02,
    "rollout/probability_difference": 0.002,
}
"""Absolute floors in each metric's own unit; all that are not of time or throughput."""

IGNORED = re.compile(r"(time|throughput)/")
"""Metrics that differ between any two runs: how fast it went is no part of a result."""


def tolerance(name: str, then: float) -> float:
    """Return how far metric `name` may be from `then`; a raw metric has no floor."""
    metric = metrics.find(name)
    floor = FLOORS.get(metric.name, 0.0) if metric else 0.0
    return max(RELATIVE * abs(then), floor)
