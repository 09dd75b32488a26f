"""Every reward function earns what its file says, and nothing else is in the folder untested."""

from __future__ import annotations

import inspect
import re

import pytest
from reward_files import NAMES, ROOT, cases, score

from reward.tools import CASES, calculator

EVERY = [(name, *case) for name in NAMES for case in cases(name)]


def test_every_reward_file_is_known_here() -> None:
    files = {
        path.stem
        for path in (ROOT / "reward").glob("*.py")
        if re.search(r"^(async )?def compute_score\b", path.read_text(), re.M)
    }
    assert files == set(NAMES)


@pytest.mark.parametrize(("name", "response", "right", "expected"), EVERY)
def test_a_response_earns_what_its_file_says(
    name: str, response: str, right: str, expected: float
) -> None:
    assert score(name, response, right) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_cases_of_both_kinds(name: str) -> None:
    scores = {expected for *_, expected in cases(name)}
    assert len(scores) > 1
    assert any(response == "" and expected <= 0 for response, _, expected in cases(name))


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_the_calculator_returns_what_its_file_says(expression: str, expected: str | None) -> None:
    if expected is not None:
        assert calculator(expression) == expected
        return
    with pytest.raises(ValueError, match=r"\w"):
        calculator(expression)


def test_the_calculator_has_the_signature_and_text_that_a_model_reads() -> None:
    """verl makes the tool's schema of them, and refuses a function that lacks one."""
    signature = inspect.signature(calculator)
    assert [parameter.annotation for parameter in signature.parameters.values()] == [str]
    text = inspect.getdoc(calculator) or ""
    assert "\n\nArgs:\n    expression: " in text
