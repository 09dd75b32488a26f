"""The command line: parse, call one function, render. What a command does is said elsewhere.

Commands import what they need inside, so that `--help` and `validate` answer at once.
"""

from __future__ import annotations

from runner.cli import ci, datasets, looking, money, rewards, runs, specs, upkeep
from runner.cli.base import cli

__all__ = ["ci", "cli", "datasets", "looking", "money", "rewards", "runs", "specs", "upkeep"]
