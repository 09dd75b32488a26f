from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
from report_values import make_curves, make_lines, make_spec

from runner import metrics
from runner.report.curves import Curves, read_curves
from runner.report.ladder import (
    LevelName,
    Trace,
    compare_runs,
    environment_differences,
    reaches,
)
from runner.report.stats import Interval
from runner.report.tolerance import FLOORS, IGNORED, tolerance

SPEC = make_spec()


def changed(name: str, step: int, change: Callable[[float], float]) -> Curves:
    """The curves of seed 1 with one value changed."""
    rows = [json.loads(line) for line in make_lines()]
    rows[step]["metrics"][name] = change(rows[step]["metrics"][name])
    return read_curves([map(json.dumps, rows)])


def then(checkpoint: str | None = "md5:1") -> Trace:
    return Trace(make_curves(), checkpoint)


def test_the_same_run_is_bitwise() -> None:
    verdict = compare_runs(SPEC, then(), then())
    assert verdict.verdict == "bitwise"
    assert [level.reached for level in verdict.levels] == [True, True, None, True]
    assert all(row.within and row.difference == 0 for row in verdict.metrics)


def test_times_are_no_part_of_a_result() -> None:
    now = Trace(changed("time/step", 3, lambda _: 99.0), "md5:1")
    assert compare_runs(SPEC, then(), now).verdict == "bitwise"


def test_another_checkpoint_is_not_bitwise() -> None:
    level = compare_runs(SPEC, then(), then("md5:2")).levels[0]
    assert (level.reached, level.why) == (False, "same metrics, another checkpoint")


def test_the_last_digit_is_a_first_difference() -> None:
    now = Trace(changed("policy/entropy", 4, lambda value: math.nextafter(value, 9)), "md5:1")
    verdict = compare_runs(SPEC, then(), now)
    assert verdict.verdict == "curve"
    assert verdict.levels[0].why == "first difference at step 4 (policy/entropy)"


def test_the_largest_gap_decides_the_curve() -> None:
    now = Trace(changed("reward/mean", 12, lambda value: value + 0.031), "md5:1")
    verdict = compare_runs(SPEC, then(), now)
    assert verdict.verdict == "claim"
    assert verdict.levels[1].why == "reward/mean: largest gap 0.031 at step 12, limit 0.02"
    row = next(row for row in verdict.metrics if row.name == "reward/mean last")
    assert row.within is True


def test_a_broken_claim_is_not_reproduced() -> None:
    now = Trace(changed("kl/reference", 12, lambda _: 0.5), "md5:1")
    verdict = compare_runs(SPEC, then(), now)
    assert verdict.verdict == "not_reproduced"
    assert verdict.levels[3].why == "1 of 2 expectations; kl/reference max < 0.2: 0.5"
    assert reaches(verdict, "claim") is False


def test_fewer_steps_are_another_curve() -> None:
    now = Trace(make_curves(steps=10), None)
    levels = compare_runs(SPEC, then(), now).levels
    assert levels[1].reached is False
    assert "measured at other steps" in levels[1].why


def test_nan_in_one_run_alone_is_wider_than_any_limit() -> None:
    now = Trace(changed("gradient/norm", 3, lambda _: math.nan), None)
    assert compare_runs(SPEC, then(), now).levels[1].reached is False
    assert compare_runs(SPEC, now, now).levels[0].reached is True


def test_without_expectations_the_claim_is_not_judged() -> None:
    now = Trace(changed("reward/mean", 12, lambda value: value + 1), None)
    verdict = compare_runs(make_spec(expect=[]), then(), now)
    assert verdict.levels[3].reached is None
    assert verdict.verdict == "not_reproduced"
    assert reaches(verdict, "claim") is None


def test_an_expectation_that_could_not_be_measured_leaves_it_open() -> None:
    spec = make_spec(expect=[{"val/loss": "last < 1"}])
    now = Trace(changed("reward/mean", 12, lambda value: value + 1), None)
    assert compare_runs(spec, then(), now).verdict == "inconclusive"
    assert (
        compare_runs(spec, Trace(Curves(), None), Trace(Curves(), None)).verdict == "inconclusive"
    )


@pytest.mark.parametrize(
    ("required", "expected"),
    [("bitwise", False), ("curve", True), ("statistical", True), ("claim", True)],
)
def test_a_stricter_level_reaches_those_below(required: LevelName, expected: bool) -> None:
    now = Trace(changed("policy/entropy", 4, lambda value: value + 1e-9), "md5:1")
    assert reaches(compare_runs(SPEC, then(), now), required) is expected


def test_one_repeat_does_not_judge_statistics() -> None:
    now = Trace(changed("reward/mean", 12, lambda value: value + 1), None)
    assert reaches(compare_runs(SPEC, then(), now), "statistical") is None


def test_the_spread_of_seeds_says_what_is_within() -> None:
    expected = {"val/sums/accuracy last": Interval(0.9, 0.95, 0.99, 3)}
    row = compare_runs(SPEC, then(), then(), expected).metrics[0]
    assert (row.name, row.within) == ("val/sums/accuracy last", False)


def test_json_has_no_nan() -> None:
    now = Trace(changed("gradient/norm", 20, lambda _: math.nan), None)
    json.dumps(compare_runs(SPEC, then(), now).as_json(), allow_nan=False)


def test_every_metric_is_ignored_or_has_a_floor() -> None:
    compared = {one.name for one in metrics.METRICS if not IGNORED.match(one.name)}
    assert compared == set(FLOORS)
    assert tolerance("val/gsm8k/accuracy", 0.9) == pytest.approx(0.018)


def test_environments() -> None:
    differences = environment_differences(
        {"torch": "2.9", "gpu": "H100"}, {"torch": "2.10", "os": "x"}
    )
    assert differences == ["gpu H100 -> unknown", "os unknown -> x", "torch 2.9 -> 2.10"]
