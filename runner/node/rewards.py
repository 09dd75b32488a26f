"""The reward function's own record of its calls, summed up while it grows.

`runner/node/inside/rollbook_reward.py` says how the record is written.
"""

from __future__ import annotations

import array
import hashlib
import math
import sys
from pathlib import Path

from runner.node.task import RewardEvidence, RewardSummary

_ITEM = array.array("d").itemsize


class RewardRecord:
    """Reads what the record has gained since the last look, and adds it to a summary."""

    def __init__(self, folder: Path, earlier: RewardSummary | None = None) -> None:
        """Read the record in `folder`; `earlier` is that of the attempts it continues from."""
        self._folder = folder
        self._read: dict[str, int] = {}
        self.summary = earlier or RewardSummary()

    def advance(self) -> RewardSummary:
        """Return the summary of all calls so far."""
        for path in sorted(self._folder.glob("*.f64")):
            self._add(self._news(path))
        return self.summary

    def _news(self, path: Path) -> array.array[float]:
        start = self._read.get(path.name, 0)
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
        whole = len(data) - len(data) % _ITEM  # a kill may have cut the last one off
        self._read[path.name] = start + whole
        scores = array.array("d", data[:whole])
        if sys.byteorder == "big":
            scores.byteswap()
        return scores

    def _add(self, scores: array.array[float]) -> None:
        # What is not finite was raised, or is no number that can be learned from.
        finite = [score for score in scores if math.isfinite(score)]
        news = RewardSummary(
            calls=len(scores),
            failures=len(scores) - len(finite),
            lowest=min(finite, default=None),
            highest=max(finite, default=None),
        )
        self.summary = merged(self.summary, news)


def merged(one: RewardSummary, other: RewardSummary) -> RewardSummary:
    """Return the summary of the calls of both."""
    lowest = [value for value in (one.lowest, other.lowest) if value is not None]
    highest = [value for value in (one.highest, other.highest) if value is not None]
    return RewardSummary(
        calls=one.calls + other.calls,
        failures=one.failures + other.failures,
        lowest=min(lowest, default=None),
        highest=max(highest, default=None),
    )


def reward_evidence(summary: RewardSummary, file: Path) -> RewardEvidence:
    """Return `summary` as evidence; `file` is the function's."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return RewardEvidence(**summary.model_dump(), sha256=digest)
