"""What several seeds say together: means, and how far to trust them.

One seed has no spread, so nothing here makes an interval, let alone a claim, from a single value:
`interval` and `prediction` return None for it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean over seeds with the two ends of an interval around it."""

    mean: float
    low: float
    high: float
    seeds: int
    """How many values it is made from."""

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside, ends included."""
        return self.low <= value <= self.high


def interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return the confidence interval of the mean: mean +- t s / sqrt(n), n - 1 degrees of freedom.

    Source: Student 1908; NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.5.2.
    It takes the values of different seeds as independent draws of a normal distribution.
    """
    return _around_mean(values, confidence, lambda n: 1 / n)


def prediction(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return where one more run is expected: mean +- t s sqrt(1 + 1/n).

    Source: Hahn and Meeker, Statistical Intervals, section 4.7 (one future observation).
    """
    return _around_mean(values, confidence, lambda n: 1 + 1 / n)


def _around_mean(
    values: Sequence[float], confidence: float, factor: Callable[[int], float]
) -> Interval | None:
    count = len(values)
    if count < 2:
        return None
    mean = statistics.fmean(values)
    spread = statistics.stdev(values, mean) * math.sqrt(factor(count))
    half = student_quantile((1 + confidence) / 2, count - 1) * spread
    return Interval(mean, mean - half, mean + half, count)


def accuracy_error(accuracy: float, questions: int) -> float:
    """Return the standard error of an accuracy over n questions: sqrt(p (1 - p) / n).

    Source: the binomial distribution's variance n p (1 - p). It is the sampling noise of one
    evaluation, apart from the noise between seeds; 0 at p = 0 and 1, where it says nothing.
    """
    if questions < 1 or not 0 <= accuracy <= 1:
        raise ValueError("an accuracy is a share of at least one question")
    return math.sqrt(accuracy * (1 - accuracy) / questions)


def student_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t distribution, by bisection of its distribution function.

    Accurate to about 1e-9 relative for probabilities from 0.5 to 0.9999.
    """
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError("needs 0.5 <= probability < 1 and at least one degree of freedom")
    low, high = 0.0, 1.0
    while _student_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_cdf(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def _student_cdf(t: float, degrees: int) -> float:
    """P(T <= t) for t >= 0: 1 - I_x(n/2, 1/2) / 2 with x = n / (n + t^2).

    Source: Abramowitz and Stegun 26.7.1 with 26.5.27.
    """
    x = degrees / (degrees + t * t)
    return 1 - _incomplete_beta(degrees / 2, 0.5, x) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b).

    Source: the continued fraction of DLMF 8.17.22, and 8.17.4 where it converges slowly.
    """
    if x <= 0 or x >= 1:
        return min(1.0, max(0.0, x))
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    return front * _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """1 / (1 + d1 / (1 + d2 / ...)) of DLMF 8.17.22, from the inside out.

    200 terms are far more than the few dozen that it needs at the x that the caller lets through.
    """
    value = 1.0
    for term in range(200, 0, -1):
        value = 1 + _beta_coefficient(term, a, b, x) / value
    return 1 / value


def _beta_coefficient(term: int, a: float, b: float, x: float) -> float:
    m = term // 2
    if term % 2 == 0:
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
