"""An algorithm's terms as keys of verl's `ppo_trainer.yaml` (0.9.1).

Paths in comments are of verl's wheel.
"""

from __future__ import annotations

from typing import Any

from runner.algorithms.base import Kl, OverlongPenalty, Terms
from runner.spec.experiment import Data

ACTOR = "actor_rollout_ref.actor"
ROLLOUT = "actor_rollout_ref.rollout"
CRITIC = "critic"
ADVANTAGES = {
    "gae": "gae",
    "grpo": "grpo",
    "rloo": "rloo",
    "reinforce_plus_plus": "reinforce_plus_plus",
    "reinforce_plus_plus_baseline": "reinforce_plus_plus_baseline",
    "remax": "remax",
    "gpg": "gpg",
}
POLICY_LOSSES = {
    "vanilla": "vanilla",
    "gspo": "gspo",
    "geometric_mean": "geo_mean",
    "cispo": "cispo",
    "sapo": "sapo",
    "gpg": "gpg",
}
AGGREGATIONS = {
    "token_mean": "token-mean",
    "sequence_mean_token_sum": "seq-mean-token-sum",
    "sequence_mean_token_mean": "seq-mean-token-mean",
    "sequence_mean_token_scaled": "seq-mean-token-sum-norm",
}
KL_ESTIMATORS = {"k1": "kl", "k2": "mse", "k3": "low_var_kl", "abs": "abs"}
DISCOUNTED = ("gae", "reinforce_plus_plus")
"""Advantage estimators that read the discount (trainer/ppo/core_algos.py)."""
GROUP_METRICS = {"reward": "reward", "accuracy": "acc"}
"""What has to differ within a group; `acc` is a reward function's own, else its score."""


def settings(terms: Terms, data: Data) -> dict[str, Any]:
    """Return the keys of `terms`; KeyError for one that verl lacks."""
    keys: dict[str, Any] = {
        "algorithm.adv_estimator": ADVANTAGES[str(terms.advantage)],
        f"{ROLLOUT}.n": terms.group_size,
        f"{ACTOR}.entropy_coeff": terms.entropy_coefficient,
        f"{ACTOR}.calculate_entropy": True,
        **_loss(terms, data),
        **_kl(terms.kl),
    }
    if terms.advantage == "grpo" and not terms.normalize_by_std:
        keys["algorithm.norm_adv_by_std_in_grpo"] = False
    if terms.advantage in DISCOUNTED:
        keys["algorithm.gamma"] = terms.discount
    if terms.advantage == "gae":
        keys["algorithm.lam"] = terms.gae_lambda
    if terms.advantage == "remax":
        # The newer trainer makes no greedy answers, and fails without them (ppo/ray_trainer.py).
        keys["trainer.use_v1"] = False
    if terms.dynamic_sampling:
        keys["algorithm.filter_groups.enable"] = True
        keys["algorithm.filter_groups.metric"] = GROUP_METRICS[terms.dynamic_sampling.metric]
    if terms.overlong_penalty:
        keys |= _overlong(terms.overlong_penalty, data)
    return keys


def _loss(terms: Terms, data: Data) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if terms.policy_loss != "vanilla":
        keys[f"{ACTOR}.policy_loss.loss_mode"] = POLICY_LOSSES[str(terms.policy_loss)]
    if terms.loss_aggregation:
        keys[f"{ACTOR}.loss_agg_mode"] = AGGREGATIONS[terms.loss_aggregation]
    if terms.loss_aggregation == "sequence_mean_token_scaled":
        # Else the length of the longest answer of each batch: no constant.
        keys[f"{ACTOR}.loss_scale_factor"] = data.max_response_tokens
    if terms.clip:
        keys[f"{ACTOR}.clip_ratio_low"] = terms.clip.low
        keys[f"{ACTOR}.clip_ratio_high"] = terms.clip.high
    if terms.dual_clip:
        keys[f"{ACTOR}.clip_ratio_c"] = terms.dual_clip
    if terms.soft_gate:
        keys[f"{ACTOR}.tau_pos"] = terms.soft_gate.positive
        keys[f"{ACTOR}.tau_neg"] = terms.soft_gate.negative
    return keys


def _kl(kl: Kl | None) -> dict[str, Any]:
    in_loss = kl is not None and kl.in_ == "loss"
    in_reward = kl is not None and kl.in_ == "reward"
    keys: dict[str, Any] = {
        f"{ACTOR}.use_kl_loss": in_loss,
        "algorithm.use_kl_in_reward": in_reward,
    }
    if kl and in_loss:
        keys[f"{ACTOR}.kl_loss_coef"] = kl.coefficient
        keys[f"{ACTOR}.kl_loss_type"] = KL_ESTIMATORS[kl.estimator]
    if kl and in_reward:
        keys["algorithm.kl_ctrl.kl_coef"] = kl.coefficient
        keys["algorithm.kl_penalty"] = KL_ESTIMATORS[kl.estimator]
    return keys


def _overlong(penalty: OverlongPenalty, data: Data) -> dict[str, Any]:
    """The penalty is part of one reward manager (experimental/reward_loop/reward_manager)."""
    buffer = "+reward.reward_kwargs.overlong_buffer_cfg"
    return {
        "reward.reward_manager.name": "dapo",
        f"{buffer}.enable": True,
        f"{buffer}.len": penalty.buffer_tokens,
        f"{buffer}.penalty_factor": penalty.factor,
        f"{buffer}.log": False,
        "+reward.reward_kwargs.max_resp_len": data.max_response_tokens,
    }
