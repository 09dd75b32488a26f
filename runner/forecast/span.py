"""A number that is not known exactly: from where to where."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """From `low` to `high`, both included."""

    low: float
    high: float

    def times(self, factor: float) -> Span:
        """Return the span `factor` (not negative) times as large."""
        return Span(low=self.low * factor, high=self.high * factor)

    def plus(self, other: Span) -> Span:
        """Return the sum of two spans."""
        return Span(low=self.low + other.low, high=self.high + other.high)

    def rounded(self) -> Span:
        """Return the span with three significant digits."""
        return Span(low=_round(self.low), high=_round(self.high))


def _round(value: float) -> float:
    return float(f"{value:.3g}")
