"""The reward functions of the repository, by name."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NAMES = ("arithmetic", "gsm8k", "math", "dapo_math")
"""Every file of reward/ that defines compute_score; a test holds this against the folder."""

LOWEST = {"dapo_math": -1.0}
"""What a wrong answer earns, where that is not 0."""

ANSWERED = {
    "arithmetic": "{}",
    "gsm8k": "#### {}",
    "math": r"\boxed{{{}}}",
    "dapo_math": "Answer: {}",
}
"""The form that each asks for."""


def score(name: str, response: str, right: str) -> float:
    result: Any = importlib.import_module(f"reward.{name}").compute_score("test", response, right)
    return float(result["score"] if isinstance(result, dict) else result)


def cases(name: str) -> list[tuple[str, str, float]]:
    return list(importlib.import_module(f"reward.{name}").CASES)
