"""An example of a reward: 1 for the right number on the last line of the answer, else 0."""

from __future__ import annotations

from typing import Any


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
) -> float:
    """Return what the answer `solution_str` earns when `ground_truth` is right."""
    lines = solution_str.strip().splitlines()
    return float(bool(lines) and lines[-1].strip() == ground_truth)
