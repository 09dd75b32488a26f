"""Hydra as the judge of overrides, on the config tree of verl's wheel."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from trainer_wheels import unpacked

ROOTS = {"verl.trainer.main_ppo": "ppo_trainer", "verl.trainer.sft_trainer": "sft_trainer_engine"}


@cache
def tree(version: str) -> Path:
    """Return the folder with verl's configs."""
    return unpacked("verl", version) / "verl/trainer/config"


def composed(version: str, entry: str, *arguments: str) -> DictConfig:
    """Compose the config of an entry point as its program does; raises where Hydra does."""
    with initialize_config_dir(config_dir=str(tree(version)), version_base=None):
        return compose(config_name=ROOTS[entry], overrides=list(arguments))


class Judge:
    """Says of single overrides whether Hydra takes them; composing each time takes a second."""

    def __init__(self, version: str, entry: str, *choices: str) -> None:
        """Compose the config that overrides are applied to, with these choices of groups."""
        self._config = composed(version, entry, *choices)
        self._parser = OverridesParser.create()

    def refuses(self, argument: str, *, keep: bool = False) -> bool:
        """Whether Hydra refuses the argument; `keep` leaves its value in the config."""
        config: Any = self._config if keep else copy.deepcopy(self._config)
        try:
            ConfigLoaderImpl._apply_overrides_to_config(
                self._parser.parse_overrides([argument]), config
            )
        except (HydraException, OmegaConfBaseException):
            return True
        return False
