"""Rewards as people write them, good and bad, and what happens when one is checked."""

from __future__ import annotations

from pathlib import Path

from runner.reward_check.here import check_rewards
from runner.reward_check.result import Checked
from runner.spec.tree import MemoryTree

SECONDS = 5

HEAD = "def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
EQUAL = f"{HEAD}    return float(solution_str.strip() == str(ground_truth))\n"
CASES = 'CASES = [("42", "42", 1.0), ("43", "42", 0.0), ("", "42", 0.0)]\n'


def function(body: str, before: str = "") -> str:
    """A reward whose body is `body`, with its own cases."""
    return f"{before}\n{CASES}\n{HEAD}" + "".join(f"    {line}\n" for line in body.splitlines())


def check(source: str, seconds: int = SECONDS, **files: str) -> Checked:
    """The result for one reward; `files` are other modules, by name without `.py`."""
    content = {f"{name}.py": text.encode() for name, text in files.items()}
    tree = MemoryTree({"reward/it.py": source.encode(), **content})
    return check_rewards(tree, {"reward/it.py:compute_score": ()}, seconds)[0]


def kinds(checked: Checked) -> set[str]:
    return {fault.kind for fault in checked.faults}


def note(checked: Checked, kind: str) -> str:
    return next(fault.told for fault in checked.faults if fault.kind == kind)


ROOT = Path(__file__).parents[2]
