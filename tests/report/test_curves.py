from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.report.curves import Curve, Point, read_curves

finite = st.floats(-1e6, 1e6, allow_nan=False)
values_by_step = st.dictionaries(st.integers(0, 500), finite, min_size=1, max_size=300)
epochs = st.lists(st.dictionaries(st.integers(0, 30), finite, max_size=12), max_size=4)


def lines(values: dict[int, float], name: str = "reward/mean") -> list[str]:
    return [json.dumps({"step": s, "time": 0, "metrics": {name: v}}) for s, v in values.items()]


def curve_of(values: dict[int, float]) -> Curve:
    return Curve(tuple(Point(step, values[step]) for step in sorted(values)))


def test_lines_of_one_step_are_merged_and_the_later_value_wins() -> None:
    curves = read_curves(
        [
            [
                '{"step": 1, "time": 1, "metrics": {"reward/mean": 0.1, "kl/reference": 0.5}}',
                '{"step": 1, "metrics": {"reward/mean": 0.2}, "raw": {"actor/lr": 1}}',
            ]
        ]
    )
    assert curves.final() == {"kl/reference": 0.5, "reward/mean": 0.2}
    raw = curves.get('"actor/lr"')
    assert raw is not None
    assert raw.last == 1
    assert "actor/lr" not in curves.by_name


@given(epochs)
def test_from_its_first_step_on_the_later_epoch_wins(found: list[dict[int, float]]) -> None:
    merged: dict[int, float] = {}
    for values in found:
        start = min(values, default=math.inf)
        merged = {step: value for step, value in merged.items() if step < start} | values
    curve = read_curves([lines(values) for values in found]).get("reward/mean")
    assert dict(curve.points if curve else ()) == merged


def test_a_recovered_run_that_validates_first_keeps_that_step_s_training_metrics() -> None:
    first = lines({1: 0.1, 2: 0.2, 3: 0.3})
    curves = read_curves([first, lines({2: 0.9}, "val/loss")])
    assert curves.by_name["reward/mean"].steps == (1, 2)


@given(values_by_step, st.integers(4, 40))
def test_downsampling_keeps_the_ends_and_the_extremes(values: dict[int, float], limit: int) -> None:
    curve = curve_of(values)
    small = curve.downsample(limit)
    assert len(small.points) <= limit
    assert set(small.points) <= set(curve.points)
    assert small.steps == tuple(sorted(small.steps))
    assert (small.first, small.last) == (curve.first, curve.last)
    assert (small.min, small.max) == (curve.min, curve.max)


@given(values_by_step)
def test_statistics(values: dict[int, float]) -> None:
    curve = curve_of(values)
    assert curve.statistic("min") <= curve.statistic("mean") + 1e-6
    assert curve.statistic("mean") <= curve.statistic("max") + 1e-6


def test_what_is_no_number_has_no_extremes_and_no_final_value() -> None:
    bad = [
        '{"step": 1, "metrics": {"train/loss": 2}}',
        '{"step": 2, "metrics": {"train/loss": null}}',
    ]
    curves = read_curves([bad])
    curve = curves.by_name["train/loss"]
    assert math.isnan(curve.max)
    assert math.isnan(curve.mean)
    assert curves.final() == {}


@pytest.mark.parametrize(
    "line", ['{"step": 3, "metr', "[]", '{"metrics": {}}', '{"step": -1}', "x"]
)
def test_lines_that_cannot_be_read_are_counted(line: str) -> None:
    curves = read_curves([[*lines({1: 0.5}), line, "", "\n"]])
    assert curves.unreadable == 1
    assert curves.last_step == 1


def test_nothing_measured() -> None:
    curves = read_curves([[]])
    assert not curves
    assert curves.last_step == 0
