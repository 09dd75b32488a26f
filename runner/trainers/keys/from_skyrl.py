"""SkyRL's keys: the dataclasses of `skyrl/train/config/config.py`."""

from __future__ import annotations

from typing import Any

from runner.trainers.keys.fields import Dataclasses, Section
from runner.trainers.keys.source import Source
from runner.trainers.keys.tree import keys_below

NEEDS = ("skyrl-gym",)
"""Other packages with dataclasses of the config."""
CONFIG = Section("skyrl.train.config.config", "SkyRLTrainConfig")
PPO = "skyrl.backends.skyrl_train.utils.ppo_utils"


def entry_points(source: Source) -> dict[str, Any]:
    """Return the keys of main_base."""
    keys = keys_below(Dataclasses(source), CONFIG)
    for key, names in _registries(source).items():
        if names:
            keys[key]["choices"] = names
    return {"skyrl.train.entrypoints.main_base": {"keys": keys}}


def _registries(source: Source) -> dict[str, list[str]]:
    return {
        "trainer.algorithm.advantage_estimator": _members(source, "AdvantageEstimator"),
        "trainer.algorithm.policy_loss_type": _members(source, "PolicyLossType"),
    }


def _members(source: Source, name: str) -> list[str]:
    return [str(value) for value in source.members(PPO, name).values()]
