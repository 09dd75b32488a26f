"""TRL's metric names in canonical ones.

Names are those of `trl/trainer/*_trainer.py` of TRL 1.16.0; those of validation sets, times and
extremes come from `runner/node/inside/rollbook_trl_record.py`, which says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

COMMON: dict[str, str] = {
    "grad_norm": "gradient/norm",
    "learning_rate": "learning_rate",
    "entropy": "policy/entropy",
    "step_seconds": "time/step",
    "tokens_per_second": "throughput/tokens_per_second",
}
STAGES: dict[str, dict[str, str]] = {
    "sft": {
        **COMMON,
        "loss": "train/loss",
        "mean_token_accuracy": "train/token_accuracy",
    },
    "preference": {
        **COMMON,
        "loss": "preference/loss",
        "rewards/accuracies": "preference/accuracy",
        "rewards/margins": "preference/margin",
        "rewards/chosen": "preference/chosen_reward",
        "rewards/rejected": "preference/rejected_reward",
    },
    "rl": {
        **COMMON,
        "loss": "policy/loss",
        "rewards/compute_score/mean": "reward/mean",
        "rewards/compute_score/max": "reward/max",
        "rewards/compute_score/min": "reward/min",
        "kl": "kl/reference",
        "clip_ratio/region_mean": "policy/clip_fraction",
        "cispo_clip_ratio": "policy/clip_fraction",
        "completions/mean_length": "response/length",
        "completions/clipped_ratio": "response/clip_ratio",
        "generation_seconds": "time/generation",
    },
}
# Not here: `reward`, which has the penalty on long answers in it, and
# `sampling/sampling_logp_difference/mean`, a difference of logarithms.
VALIDATION: dict[str, dict[str, str]] = {
    "sft": {"loss": "loss", "mean_token_accuracy": "token_accuracy"},
    "preference": {
        "rewards/accuracies": "preference_accuracy",
        "rewards/margins": "preference_margin",
    },
    "rl": {"score": "reward", "accuracy": "accuracy"},
}
"""What a metric of a validation set is called, by TRL and by us."""


def canonical(values: Mapping[str, float], stage: str, sets: Iterable[str]) -> dict[str, float]:
    """Return the canonical metrics among TRL's; `sets` are the names of validation sets."""
    names = STAGES[stage]
    found = {names[name]: value for name, value in values.items() if name in names}
    sets = tuple(sets)
    for name in sets:
        for raw, what in VALIDATION[stage].items():
            if (key := f"eval_{name}_{raw}") in values:
                found[f"val/{name}/{what}"] = values[key]
    if stage == "sft" and len(sets) == 1 and (loss := found.get(f"val/{sets[0]}/loss")) is not None:
        found["val/loss"] = loss
    return found
