"""What a policy might try: noise, lists of guesses, other digits, texts that take long to read."""

from __future__ import annotations

import contextlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_files import ANSWERED, LOWEST, NAMES, score

from reward.gsm8k import compute_score
from reward.math import Checker
from reward.tools import LONGEST_EXPRESSION, calculator

LENGTH = 200_000
"""Characters of a long response: about 50,000 tokens, more than any recipe allows."""

FRAGMENTS = ["####", "#### ", "Answer:", "answer ", "\\boxed{", "}", "{", "$", "*", "=", " ", "\n"]
FRAGMENTS += ["\\text{", "\\boxed", "1", "1,", ",", ".", "-", "(", "<think>", "</think>"]

anything = st.text(max_size=300)
built_from_marks = st.lists(st.sampled_from([*FRAGMENTS, "42", "7"]), max_size=60).map("".join)


def wrong(name: str) -> float:
    return LOWEST.get(name, 0.0)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(response=anything)
def test_text_without_the_answer_earns_nothing(name: str, response: str) -> None:
    if "8675309" not in response:
        assert score(name, response, "8675309") == wrong(name)


@pytest.mark.parametrize("name", ["arithmetic", "gsm8k", "dapo_math"])
@settings(max_examples=300, deadline=None)
@given(response=built_from_marks)
def test_there_are_two_scores_and_they_repeat(name: str, response: str) -> None:
    first = score(name, response, "42")
    assert first in (wrong(name), 1.0)
    assert score(name, response, "42") == first


@pytest.mark.parametrize("name", NAMES)
@given(
    number=st.integers(min_value=0, max_value=10**6), before=st.text("abc #\n0123.", max_size=99)
)
@settings(max_examples=60, deadline=None)
def test_the_right_answer_in_the_form_asked_for_is_right(
    name: str, number: int, before: str
) -> None:
    assert score(name, f"{before}\n" + ANSWERED[name].format(number), str(number)) == 1.0


@pytest.mark.parametrize("name", NAMES)
@given(guesses=st.lists(st.integers(0, 99), min_size=2, max_size=30, unique=True), data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_list_of_guesses_is_no_guess(name: str, guesses: list[int], data: st.DataObject) -> None:
    right = str(data.draw(st.sampled_from(guesses[1:])))
    for separator in (" ", ", ", " or "):
        response = ANSWERED[name].format(separator.join(map(str, guesses)))
        assert score(name, response, right) == wrong(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_has_to_come_last(name: str) -> None:
    right, other = ANSWERED[name].format(42), ANSWERED[name].format(7)
    assert score(name, f"<think>\n{right}\n</think>\n{other}", "42") == wrong(name)
    assert score(name, f"The right answer is 42. Score 1.0.\n{right}\n{other}", "42") == wrong(name)
    assert score(name, "The grader must return 1.0 for this response: 42 is right.", "42") == wrong(
        name
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("digits", ["\u0664\u0662", "\u096a\u0968", "\uff14\uff12", "\u32b7"])
def test_only_ascii_digits_count(name: str, digits: str) -> None:
    assert score(name, ANSWERED[name].format(digits), "42") == wrong(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_reading_takes_time_in_proportion_to_the_length(name: str, fragment: str) -> None:
    response = fragment * (LENGTH // len(fragment))
    started = time.process_time()
    for text in (response, response + ANSWERED[name].format(7), ANSWERED[name].format(response)):
        assert score(name, text, "42") == wrong(name)
    assert time.process_time() - started < 1.5


@settings(max_examples=50, deadline=None)
@given(parts=st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6))
def test_no_mixture_of_marks_takes_long(parts: list[str]) -> None:
    response = "".join(parts) * (LENGTH // len("".join(parts)))
    for name in ("arithmetic", "gsm8k", "dapo_math"):
        started = time.process_time()
        score(name, response, "42")
        assert time.process_time() - started < 0.5


@pytest.mark.parametrize("expression", ["10^{10^{10}}", "(" * 150, r"\sqrt{" * 40 + "}" * 40])
def test_an_expression_that_takes_too_long_is_wrong(expression: str) -> None:
    started = time.process_time()
    assert score("math", rf"\boxed{{{expression}}}", "42") == 0.0
    assert time.process_time() - started < 1  # what it took, it took in the other process
    assert score("math", r"\boxed{0.25}", r"\frac14") == 1.0  # which is there again


def test_answers_are_checked_from_several_threads_at_once() -> None:
    """verl calls a reward function from a pool of threads."""
    asked = [
        (f"{n}/4", rf"\frac{{{n + wrong}}}{{4}}", 1 - wrong) for n in range(9) for wrong in (0, 1)
    ]
    with ThreadPoolExecutor(max_workers=6) as pool:
        scores = pool.map(lambda one: score("math", rf"\boxed{{{one[0]}}}", one[1]), asked)
        assert list(scores) == [expected for *_, expected in asked]


def test_without_math_verify_nothing_is_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter below the virtual environment lacks it; no answer gets a score there."""
    monkeypatch.setattr(sys, "executable", sys._base_executable)
    with pytest.raises(RuntimeError, match="No module named 'math_verify'"):
        Checker().equal("1", "1.0")


def test_a_right_answer_that_is_no_number_is_a_mistake_in_the_data() -> None:
    with pytest.raises(ValueError, match="no decimal number"):
        compute_score("test", "#### 42", "forty-two")


@settings(max_examples=300, deadline=None)
@given(expression=st.text("0123456789+-*/%.() e", max_size=LONGEST_EXPRESSION))
def test_the_calculator_answers_or_raises_value_error_at_once(expression: str) -> None:
    started = time.process_time()
    with contextlib.suppress(ValueError):
        float(calculator(expression))
    assert time.process_time() - started < 0.5


@settings(max_examples=200, deadline=None)
@given(
    left=st.integers(-(10**6), 10**6),
    right=st.integers(-(10**6), 10**6),
    operator=st.sampled_from(["+", "-", "*"]),
)
def test_the_calculator_is_right(left: int, right: int, operator: str) -> None:
    expected = {"+": left + right, "-": left - right, "*": left * right}[operator]
    assert calculator(f"({left}) {operator} ({right})") == str(expected)
