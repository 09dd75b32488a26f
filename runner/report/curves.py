"""A run's metrics over its steps, as frozen values: what verdicts, plots and pages are made from.

A curve is read from the lines of `metrics.jsonl` (see `runner.node.task`). A recovered run has one
such file per epoch of its lease; from its first step on, the later epoch wins.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runner.metrics import is_raw
from runner.spec.expectation import Statistic


class Point(NamedTuple):
    """A metric's value at one step; NaN where the trainer wrote none that is a number."""

    step: int
    value: float


@dataclass(frozen=True)
class Curve:
    """One metric over the steps at which it was measured: never empty, steps strictly rising."""

    points: tuple[Point, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps at which it was measured."""
        return tuple(point.step for point in self.points)

    @property
    def values(self) -> tuple[float, ...]:
        """The values in the order of their steps."""
        return tuple(point.value for point in self.points)

    @property
    def first(self) -> float:
        """The first value: the one at step 0 when validated before training."""
        return self.points[0].value

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1].value

    @property
    def min(self) -> float:
        """The smallest value; NaN when any value is NaN."""
        return math.nan if self._has_nan else min(self.values)

    @property
    def max(self) -> float:
        """The largest value; NaN when any value is NaN."""
        return math.nan if self._has_nan else max(self.values)

    @property
    def mean(self) -> float:
        """The mean over all measured steps, each with the same weight."""
        return math.fsum(self.values) / len(self.values) if self.is_finite else math.nan

    @property
    def is_finite(self) -> bool:
        """Whether no value is infinite or NaN."""
        return all(map(math.isfinite, self.values))

    @property
    def _has_nan(self) -> bool:
        return any(map(math.isnan, self.values))

    def statistic(self, name: Statistic) -> float:
        """Return first, last, min, max or mean, as `expect` names them."""
        return float(getattr(self, name))

    def finite(self) -> Curve | None:
        """Return the curve without values that are no numbers; None when none is left."""
        points = tuple(point for point in self.points if math.isfinite(point.value))
        return Curve(points) if points else None

    def downsample(self, limit: int) -> Curve:
        """Return at most `limit` (4 or more) of the points: first, last, min, max, and others.

        The others are spread evenly over the measured steps; no value is averaged or made up.
        """
        if limit < 4:
            raise ValueError("a curve keeps at least four points: first, last, min and max")
        if len(self.points) <= limit:
            return self
        kept = self._extremes()
        kept |= set(_spread(len(self.points), limit - len(kept)))
        return Curve(tuple(self.points[index] for index in sorted(kept)))

    def _extremes(self) -> set[int]:
        """Indices of the first, last, smallest and largest point (the earliest of equals)."""
        finite = [index for index, value in enumerate(self.values) if math.isfinite(value)]
        ends = {0, len(self.points) - 1}
        if not finite:
            return ends
        lowest = min(finite, key=lambda index: self.values[index])
        highest = max(finite, key=lambda index: self.values[index])
        return ends | {lowest, highest}


def _spread(length: int, count: int) -> Iterator[int]:
    """Yield `count` indices below `length`, evenly spread."""
    return (index * length // count for index in range(count))


@dataclass(frozen=True)
class Curves:
    """All metrics of a run: canonical names, and the trainer's own in double quotes."""

    by_name: Mapping[str, Curve] = field(default_factory=dict)
    unreadable: int = 0
    """Lines that were no JSON object with a step, such as one cut off when the node died."""

    def __bool__(self) -> bool:
        """Whether anything was measured."""
        return bool(self.by_name)

    def get(self, name: str) -> Curve | None:
        """Return the metric's curve; None when it was never measured."""
        return self.by_name.get(name)

    @property
    def canonical(self) -> dict[str, Curve]:
        """The curves with canonical names, in the order of their names."""
        names = sorted(name for name in self.by_name if not is_raw(name))
        return {name: self.by_name[name] for name in names}

    @property
    def last_step(self) -> int:
        """The newest step at which anything was measured; 0 when nothing was."""
        return max((curve.steps[-1] for curve in self.by_name.values()), default=0)

    def final(self) -> dict[str, float]:
        """Return the last value of each canonical metric that is finite, as a record keeps it."""
        curves = self.canonical.items()
        return {name: curve.last for name, curve in curves if math.isfinite(curve.last)}


def read_curves(epochs: Sequence[Iterable[str]]) -> Curves:
    """Return the curves in the lines of `metrics.jsonl`, one iterable of lines per lease epoch.

    Several lines may speak of one step: the later value of a metric wins. From its first step on a
    later epoch wins; at that very step, what only the earlier epoch measured is kept, since a
    recovered trainer may start with a line of validation alone.
    """
    steps: dict[int, dict[str, float]] = {}
    unreadable = 0
    for lines in epochs:
        epoch, bad = _read_epoch(lines)
        unreadable += bad
        start = min(epoch, default=math.inf)
        steps = {step: values for step, values in steps.items() if step <= start}
        for step, values in epoch.items():
            steps[step] = {**steps.get(step, {}), **values}
    return Curves(_by_name(steps), unreadable)


def _read_epoch(lines: Iterable[str]) -> tuple[dict[int, dict[str, float]], int]:
    """Return the values of one file by step and name, and how many lines could not be read."""
    steps: dict[int, dict[str, float]] = {}
    unreadable = 0
    for line in filter(str.strip, lines):
        parsed = _parse(line)
        if parsed is None:
            unreadable += 1
        else:
            step, values = parsed
            steps.setdefault(step, {}).update(values)
    return steps, unreadable


def _parse(line: str) -> tuple[int, dict[str, float]] | None:
    try:
        row = json.loads(line)
        step, metrics, raw = row["step"], row.get("metrics", {}), row.get("raw", {})
        values = {name: _number(value) for name, value in metrics.items()}
        values |= {f'"{name}"': _number(value) for name, value in raw.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return (step, values) if isinstance(step, int) and step >= 0 else None


def _number(value: Any) -> float:
    """Return a metric's value; null and texts such as "nan" are what non-finite ones become."""
    return math.nan if value is None else float(value)


def _by_name(steps: Mapping[int, Mapping[str, float]]) -> dict[str, Curve]:
    points: dict[str, list[Point]] = {}
    for step in sorted(steps):
        for name, value in steps[step].items():
            points.setdefault(name, []).append(Point(step, value))
    return {name: Curve(tuple(points[name])) for name in sorted(points)}


def kept_curves(content: bytes) -> Curves:
    """Return the curves of a run's metrics.json on the ledger, thinned out and rounded."""
    found = json.loads(content)["curves"]
    lines = (
        json.dumps({"step": step, "metrics": {name: value}})
        for name, points in found.items()
        for step, value in points
    )
    return read_curves([lines])
