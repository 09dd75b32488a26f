"""verl's metric names in canonical ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES: dict[str, str] = {
    "critic/score/mean": "reward/mean",
    "critic/score/max": "reward/max",
    "critic/score/min": "reward/min",
    "critic/advantages/mean": "advantage/mean",
    "critic/vf_loss": "value/loss",
    "actor/pg_loss": "policy/loss",
    "actor/pg_clipfrac": "policy/clip_fraction",
    "actor/entropy": "policy/entropy",
    "actor/ppo_kl": "kl/old_policy",
    "actor/kl_loss": "kl/reference",
    "actor/grad_norm": "gradient/norm",
    "actor/lr": "learning_rate",
    "response_length/mean": "response/length",
    "response_length/clip_ratio": "response/clip_ratio",
    "prompt_length/mean": "prompt/length",
    "num_turns/mean": "rollout/turns",
    "training/rollout_probs_diff_mean": "rollout/probability_difference",
    "perf/throughput": "throughput/tokens_per_second",
    "timing_s/step": "time/step",
    "timing_s/gen": "time/generation",
    "timing_s/update_actor": "time/update",
    "train/loss": "train/loss",
    "train/grad_norm": "gradient/norm",
    "train/lr": "learning_rate",
    "val/loss": "val/loss",
}
# `critic/score` is the reward function's score; `critic/rewards` has a KL penalty taken off.

_VALIDATION = re.compile(r"val-(?:core|aux)/(?P<set>[^/]+)/(?P<what>acc|reward)/mean@\d+")
_BEST = re.compile(r"val-(?:core|aux)/(?P<set>[^/]+)/acc/best@(?P<k>\d+)/mean")
_WHAT = {"acc": "accuracy", "reward": "reward"}


def canonical(values: Mapping[str, float]) -> dict[str, float]:
    """Return the canonical metrics among verl's."""
    found = {NAMES[name]: value for name, value in values.items() if name in NAMES}
    for name, value in values.items():
        if match := _VALIDATION.fullmatch(name):
            found[f"val/{match['set']}/{_WHAT[match['what']]}"] = value
    return {**found, **_pass_at_k(values)}


def _pass_at_k(values: Mapping[str, float]) -> dict[str, float]:
    """Return it for the largest k, which is the number of answers: verl says it for less too."""
    matches = ((match, value) for name, value in values.items() if (match := _BEST.fullmatch(name)))
    rising = sorted(matches, key=lambda one: int(one[0]["k"]))
    return {f"val/{match['set']}/pass_at_k": value for match, value in rising}
