from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from runner.report.stats import accuracy_error, interval, prediction, student_quantile

samples = st.lists(st.floats(-100, 100, allow_nan=False), min_size=2, max_size=20)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 29, 99, 1000])
@pytest.mark.parametrize("probability", [0.5, 0.75, 0.9, 0.975, 0.995, 0.9999])
def test_quantiles_of_student_s_t(probability: float, degrees: int) -> None:
    expected = scipy_stats.t.ppf(probability, degrees)
    assert student_quantile(probability, degrees) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(samples)
def test_the_interval_of_a_mean(values: list[float]) -> None:
    found = interval(values)
    error = statistics.stdev(values) / math.sqrt(len(values))
    half = scipy_stats.t.ppf(0.975, len(values) - 1) * error
    assert found is not None
    assert found.high - found.mean == pytest.approx(half, rel=1e-6, abs=1e-9)
    assert found.mean - found.low == pytest.approx(half, rel=1e-6, abs=1e-9)


def test_against_scipy_s_own_interval() -> None:
    values = [0.910, 0.914, 0.913]
    low, high = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = interval(values)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))


@given(samples)
def test_one_more_run_is_less_certain_than_the_mean(values: list[float]) -> None:
    mean, one_more = interval(values), prediction(values)
    assert mean is not None
    assert one_more is not None
    factor = math.sqrt(len(values) + 1)
    assert one_more.high - one_more.mean == pytest.approx(
        factor * (mean.high - mean.mean), rel=1e-6, abs=1e-9
    )


def test_one_seed_has_no_interval() -> None:
    assert interval([0.9]) is None
    assert prediction([0.9]) is None


def test_the_sampling_error_of_an_accuracy() -> None:
    expected = scipy_stats.binom.std(1319, 0.912) / 1319
    assert accuracy_error(0.912, 1319) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least one question"):
        accuracy_error(0.5, 0)
