"""The algorithms: one file each, one line each in this table.

Add one: write `runner/algorithms/<name>.py` with a class whose `name` is a Literal, add it here.
A file is loaded when a spec names its algorithm: making the models of all of them takes longer than
planning ten specs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.algorithms.base import AlgorithmConfig

CLASSES = {
    "sft": "Sft",
    "ppo": "Ppo",
    "grpo": "Grpo",
    "dr_grpo": "DrGrpo",
    "dapo": "Dapo",
    "gspo": "Gspo",
    "rloo": "Rloo",
    "reinforce_plus_plus": "ReinforcePlusPlus",
    "reinforce_plus_plus_baseline": "ReinforcePlusPlusBaseline",
    "remax": "Remax",
    "gmpo": "Gmpo",
    "cispo": "Cispo",
    "sapo": "Sapo",
    "gpg": "Gpg",
    "dpo": "Dpo",
}
"""The class of each algorithm, by its name, which is that of its file too."""


def load(name: str) -> type[AlgorithmConfig]:
    """Return the section of the algorithm `name`, one of `CLASSES`."""
    found: type[AlgorithmConfig] = getattr(
        import_module(f"runner.algorithms.{name}"), CLASSES[name]
    )
    return found
