"""The graded verdict of `reproduce`: how closely one repeat follows the run that it repeats.

The levels, the strictest first; each includes those below it:

| level       | reached when                                                                      |
|-------------|-----------------------------------------------------------------------------------|
| bitwise     | every metric equal at every step, and the checkpoint's digest where both have one |
| curve       | the same steps, and no metric further off anywhere than its tolerance             |
| statistical | not judged from one repeat: absence of a difference is not equivalence            |
| claim       | every `expect` of the spec holds again                                            |

Metrics means canonical ones, without those of time and throughput (`IGNORED`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

from runner.report.curves import Curve, Curves
from runner.report.headline import headline_metric
from runner.report.judge import judge_expectations
from runner.report.notation import number
from runner.report.stats import Interval
from runner.report.tolerance import IGNORED, tolerance
from runner.spec.expectation import Statistic
from runner.spec.experiment import Experiment

LevelName = Literal["bitwise", "curve", "statistical", "claim"]
Word = Literal["bitwise", "curve", "statistical", "claim", "inconclusive", "not_reproduced"]


class Trace(NamedTuple):
    """What a run leaves behind to be compared."""

    curves: Curves
    checkpoint: str | None
    """Digest of the final export."""


class Level(NamedTuple):
    """One rung: reached, not reached, or (None) not judged, and why."""

    name: LevelName
    reached: bool | None
    why: str


class Comparison(NamedTuple):
    """One number of both runs, named by metric and statistic: `val/gsm8k/accuracy last`."""

    name: str
    then: float | None
    now: float | None
    difference: float | None
    within: bool | None
    """Inside the prediction interval of the original's seeds, else inside the tolerance."""


class Verdict(NamedTuple):
    """What a repeat shows."""

    verdict: Word
    levels: tuple[Level, ...]
    metrics: tuple[Comparison, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as `reproduce --json` prints them; what is no number becomes null."""
        return {
            "verdict": self.verdict,
            "levels": [level._asdict() for level in self.levels],
            "metrics": [_without_nan(row._asdict()) for row in self.metrics],
        }


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    broken = {
        name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)
    }
    return {name: None if name in broken else value for name, value in row.items()}


def compare_runs(
    spec: Experiment, then: Trace, now: Trace, expected: Mapping[str, Interval] | None = None
) -> Verdict:
    """Compare a repeat with its original.

    `expected` gives, by name of comparison, where one more run is expected from the spread of the
    original's seeds (`stats.prediction`).
    """
    levels = (
        _bitwise(then, now),
        _curve(then.curves, now.curves),
        Level("statistical", None, "one repeat has no spread: needs 2 or more repeats"),
        _claim(spec, now.curves),
    )
    return Verdict(_word(levels, spec), levels, _comparisons(spec, then, now, expected or {}))


def reaches(verdict: Verdict, required: LevelName) -> bool | None:
    """Return whether `required` or a stricter level is reached; None when that is not judged.

    A claim that was judged and does not hold is not reached, however alike the runs are: it did not
    hold the first time either.
    """
    claim = next(level for level in verdict.levels if level.name == "claim")
    if required == "claim" and claim.reached is False:
        return False
    for level in verdict.levels:
        if level.reached:
            return True
        if level.name == required:
            return level.reached
    raise ValueError(f"{required} is no level")


def _word(levels: tuple[Level, ...], spec: Experiment) -> Word:
    best = next((level.name for level in levels if level.reached), None)
    if best:
        return best
    judged = [level for level in levels if level.reached is not None]
    claim_is_open = bool(spec.expect) and levels[-1].reached is None
    return "not_reproduced" if judged and not claim_is_open else "inconclusive"


def _compared(curves: Curves) -> dict[str, Curve]:
    return {name: curve for name, curve in curves.canonical.items() if not IGNORED.match(name)}


def _bitwise(then: Trace, now: Trace) -> Level:
    old, new = _compared(then.curves), _compared(now.curves)
    if not old and not new:
        return Level("bitwise", None, "nothing was measured")
    difference = _first_difference(old, new)
    if difference:
        return Level("bitwise", False, difference)
    if then.checkpoint and now.checkpoint:
        same = then.checkpoint == now.checkpoint
        what = "metrics and checkpoint are equal" if same else "same metrics, another checkpoint"
        return Level("bitwise", same, what)
    return Level("bitwise", True, "metrics are equal; no checkpoint to compare")


def _first_difference(old: Mapping[str, Curve], new: Mapping[str, Curve]) -> str:
    """Say where two runs first part, in the order of steps; empty when they never do."""
    only = sorted(old.keys() ^ new.keys())
    if only:
        return f"{only[0]} was measured in only one of them"
    partings = [
        (step, name) for name in old if (step := _parting(old[name], new[name])) is not None
    ]
    if not partings:
        return ""
    step, name = min(partings)
    return f"first difference at step {step:,} ({name})"


def _parting(old: Curve, new: Curve) -> int | None:
    """Return the first step at which two curves differ, in value or in being measured."""
    for left, right in zip_longest(old.points, new.points):
        if left is None or right is None:
            return int((left or right).step)
        # NaN is not equal to itself, but a run that repeats a NaN has repeated it.
        if left.step != right.step or repr(left.value) != repr(right.value):
            return int(min(left.step, right.step))
    return None


class _Gap(NamedTuple):
    """The widest gap between two curves, as a share of what is allowed there."""

    share: float
    name: str
    step: int
    size: float
    limit: float

    def __str__(self) -> str:
        gap, limit = number(self.size), number(self.limit)
        return f"{self.name}: largest gap {gap} at step {self.step:,}, limit {limit}"


def _curve(then: Curves, now: Curves) -> Level:
    old, new = _compared(then), _compared(now)
    only = sorted(old.keys() ^ new.keys())
    if not old and not new:
        return Level("curve", None, "nothing was measured")
    if only:
        return Level("curve", False, f"{only[0]} was measured in only one of them")
    uneven = next((name for name in old if old[name].steps != new[name].steps), None)
    if uneven:
        last = f"{old[uneven].steps[-1]:,} then, {new[uneven].steps[-1]:,} now"
        return Level("curve", False, f"{uneven}: measured at other steps (the last: {last})")
    widest = max(_widest(name, old[name], new[name]) for name in old)
    return Level("curve", widest.share <= 1, str(widest))


def _widest(name: str, old: Curve, new: Curve) -> _Gap:
    return max(
        _gap(name, left.step, left.value, right.value)
        for left, right in zip(old.points, new.points, strict=True)
    )


def _gap(name: str, step: int, then: float, now: float) -> _Gap:
    limit = tolerance(name, then)
    size = 0.0 if repr(then) == repr(now) else abs(now - then)
    return _Gap(_share(size, limit), name, step, size, limit)


def _share(size: float, limit: float) -> float:
    """Return a gap as a share of its limit; one that is no number (NaN) is wider than any."""
    if size == 0:
        return 0.0
    return size / limit if limit > 0 and math.isfinite(size) else math.inf


def _claim(spec: Experiment, now: Curves) -> Level:
    judgements = judge_expectations(spec, now)
    if not judgements:
        return Level("claim", None, "the spec declares no expectation")
    passed = sum(judgement.verdict == "pass" for judgement in judgements)
    failed = next((one for one in judgements if one.verdict == "fail"), None)
    why = f"{passed} of {len(judgements)} expectations"
    if failed:
        measured = "no number" if failed.value is None else number(failed.value)
        return Level("claim", False, f"{why}; {failed.metric} {failed.condition}: {measured}")
    missing = next((one for one in judgements if one.verdict == "not_measured"), None)
    if missing:
        return Level("claim", None, f"{why}; {missing.metric} was not measured")
    return Level("claim", True, why)


def _comparisons(
    spec: Experiment, then: Trace, now: Trace, expected: Mapping[str, Interval]
) -> tuple[Comparison, ...]:
    names = _compared_statistics(spec, then.curves)
    return tuple(_comparison(name, stat, then, now, expected) for name, stat in names)


def _compared_statistics(spec: Experiment, then: Curves) -> list[tuple[str, Statistic]]:
    """List what `expect` speaks of, then the headline metric, then the last of all others."""
    pairs: list[tuple[str, Statistic]] = []
    for expectation in spec.expect:
        terms = (expectation.term, expectation.minus)
        pairs += [(expectation.metric, term) for term in terms if term]
    measured = _compared(then)
    headline = headline_metric(spec, measured)
    names = ([headline] if headline else []) + list(measured)
    pairs += [(name, "last") for name in names]
    return list(dict.fromkeys(pairs))


def _comparison(
    metric: str, statistic: Statistic, then: Trace, now: Trace, expected: Mapping[str, Interval]
) -> Comparison:
    name = f"{metric} {statistic}"
    old, new = then.curves.get(metric), now.curves.get(metric)
    left = old.statistic(statistic) if old else None
    right = new.statistic(statistic) if new else None
    if left is None or right is None:
        return Comparison(name, left, right, None, None)
    inside = expected.get(name)
    within = inside.holds(right) if inside else abs(right - left) <= tolerance(metric, left)
    return Comparison(name, left, right, right - left, within)


def environment_differences(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """List what differs between two environments, such as `torch 2.9.0 -> 2.9.1`, by name."""
    names = sorted(then.keys() | now.keys())
    return [
        f"{name} {then.get(name, 'unknown')} -> {now.get(name, 'unknown')}"
        for name in names
        if then.get(name) != now.get(name)
    ]
