"""SkyRL's metric names in canonical ones.

Names are those of `train/trainer.py`, `train/generators/utils.py` and `workers/worker.py` of SkyRL
0.3.0; those with `rollbook/` come from our entry module, as SkyRL has none for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAMES: dict[str, str] = {
    "reward/avg_raw_reward": "reward/mean",
    "rollbook/reward_max": "reward/max",
    "rollbook/reward_min": "reward/min",
    "rollbook/response_clip_ratio": "response/clip_ratio",
    "rollbook/prompt_length": "prompt/length",
    "generate/avg_num_tokens": "response/length",
    "loss/avg_raw_advantages": "advantage/mean",
    "loss/avg_kl": "kl/reference",
    "policy/policy_kl": "kl/reference",
    "policy/policy_loss": "policy/loss",
    "policy/policy_entropy": "policy/entropy",
    "policy/policy_lr": "learning_rate",
    "policy/loss_metrics/clip_ratio": "policy/clip_fraction",
    "policy/grad_norm": "gradient/norm",
    "critic/critic_loss": "value/loss",
    "timing/step": "time/step",
    "timing/generate": "time/generation",
    "timing/policy_train": "time/update",
}
# Not here: `trainer/tokens_per_second_per_gpu` counts the seconds of the update alone, and
# `policy/rollout_train_logprobs_abs_diff_mean` differences of logarithms.


def canonical(values: Mapping[str, float], sets: Iterable[str]) -> dict[str, float]:
    """Return the canonical metrics among SkyRL's; `sets` are the names of validation sets."""
    found = {NAMES[name]: value for name, value in values.items() if name in NAMES}
    for name in sets:
        for raw, what in (
            (f"eval/{name}/avg_score", "reward"),
            (f"eval/all/environment/{name}/accuracy_mean", "accuracy"),
        ):
            if raw in values:
                found[f"val/{name}/{what}"] = values[raw]
    return found
