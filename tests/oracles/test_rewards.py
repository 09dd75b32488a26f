r"""Our rewards against the trainers' own on one table: equal where we say so, else different.

`#### (\-?[0-9\.\,]+)`, its first match and no commas, is OpenAI's definition of an answer to GSM8K
(openai/grade-school-math, grade_school_math/dataset.py).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from trainer_wheels import module

from reward.dapo_math import compute_score as ours_dapo
from reward.gsm8k import compute_score as ours_gsm8k
from reward.math import compute_score as ours_math

VERL = ("verl", "0.9.1")
SKYRL = ("skyrl-gym", "0.4.0")

OPENAI_ANSWER = re.compile(r"#### (\-?[0-9\.\,]+)")


class Case(NamedTuple):
    """What each scorer gives a response; True is the score for a right answer."""

    response: str
    right: str
    ours: bool
    verl: bool
    skyrl: bool
    openai: bool = False


LATER = " So it is." * 40
"""More than the 300 characters that verl looks at."""

GSM8K = [
    Case("#### 42", "42", True, True, True, True),
    Case("6 * 7 = 42\n#### 42", "42", True, True, True, True),
    Case("#### -3", "-3", True, True, True, True),
    Case("#### 1,000", "1000", True, True, True, True),
    Case("#### 42 apples", "42", True, True, True, True),
    Case("#### 43", "42", False, False, False, False),
    Case("", "42", False, False, False, False),
    Case("42", "42", False, False, False, False),
    Case("#### forty-two", "42", False, False, False, False),
    Case("#### 421", "42", False, False, False, False),
    # The last marker counts: with verl, against the two others.
    Case("#### 41\n#### 42", "42", True, True, False, False),
    Case("#### 42\n#### 41", "42", False, False, True, True),
    # There is no window at the end: against verl.
    Case("#### 42" + LATER, "42", True, False, True, True),
    # What says 42 is 42: against all three.
    Case("#### 42.", "42", True, False, False, False),
    Case("#### 42.0", "42", True, False, False, False),
    Case("#### $42", "42", True, False, False, False),
    Case("####42", "42", True, False, False, False),
    Case("####  42", "42", True, False, False, False),
    # The first digits of something else are no answer: against all three.
    Case("#### 42/7", "42", False, True, True, True),
    Case("#### 4,2", "42", False, True, True, True),
    # What is announced last has to be the number: against verl, which goes back to the one before.
    Case("#### 42\n#### done", "42", False, True, True, True),
]


@pytest.mark.parametrize("case", GSM8K, ids=lambda case: repr(case.response[:30]))
def test_gsm8k(case: Case) -> None:
    verl = module(*VERL, "verl/utils/reward_score/gsm8k.py")
    skyrl = module(*SKYRL, "skyrl_gym/envs/gsm8k/utils.py")
    found = OPENAI_ANSWER.search(case.response)
    assert case == Case(
        case.response,
        case.right,
        ours=ours_gsm8k("", case.response, case.right) == 1,
        verl=verl.compute_score(case.response, case.right) == 1,
        skyrl=skyrl.compute_score(case.response, case.right) == 1,
        openai=bool(found) and found[1].replace(",", "") == case.right,
    )


DAPO = [
    Case("Answer: 42", "42", True, True, True),
    Case("So it is.\nanswer : 42", "42", True, True, True),
    Case("Answer: $42$", "42", True, True, True),
    Case("Answer: \\boxed{42}", "42", True, True, True),
    Case("Answer: $\\boxed{42}$", "42", True, True, True),
    Case("Answer: 1,000", "1000", True, True, True),
    Case("Answer: x = 42", "42", True, True, True),
    Case("Answer: 41\nAnswer: 42", "42", True, True, True),
    Case("Answer: 42\nAnswer: 41", "42", False, False, False),
    Case("Answer: 43", "42", False, False, False),
    Case("Answer: 1/2", "0.5", False, False, False),
    Case("", "42", False, False, False),
    Case("42", "42", False, False, False),
    # A box without "Answer:": with verl 0.9.1, against skyrl-gym.
    Case("It is \\boxed{42}", "42", True, True, False),
    # There is no window at the end: against both.
    Case("Answer: 42\n" + LATER, "42", True, False, False),
    Case("It is \\boxed{42}." + LATER, "42", True, False, False),
    # What says 42 is 42: against both.
    Case("Answer: 42.", "42", True, False, False),
    Case("Answer: 042", "42", True, False, False),
    Case("**Answer**: 42", "42", True, False, False),
    # Two numbers are no number: against both, which delete blanks.
    Case("Answer: 4 2", "42", False, True, True),
    # No words are deleted: against both.
    Case("Answer: 42 meters", "42", False, True, True),
    # An answer ends with its line: with verl, against skyrl-gym, where it ends at "<".
    Case("Answer: 42<43", "42", False, False, True),
]


@pytest.mark.parametrize("case", DAPO, ids=lambda case: repr(case.response[:30]))
def test_dapo_math(case: Case) -> None:
    verl = module(*VERL, "verl/utils/reward_score/math_dapo.py")
    skyrl = module(*SKYRL, "skyrl_gym/envs/aime/utils.py")
    ours = ours_dapo("", case.response, case.right)
    theirs = verl.compute_score(case.response, case.right)
    assert {*ours} <= {*theirs}
    assert case == Case(
        case.response,
        case.right,
        ours=(ours["score"], ours["acc"]) == (1, 1),
        verl=(theirs["score"], theirs["acc"]) == (1, True),
        skyrl=skyrl.compute_score(case.response, case.right)["score"] == 1,
    )


def test_a_wrong_answer_to_dapo_math_costs_as_much_as_in_verl() -> None:
    verl = module(*VERL, "verl/utils/reward_score/math_dapo.py")
    theirs = verl.compute_score("Answer: 41", "42")
    assert ours_dapo("", "Answer: 41", "42") == {key: theirs[key] for key in ("score", "acc")}


MATH = [
    ("\\boxed{42}", "42", True, True),
    ("\\boxed{41} \\boxed{42}", "42", True, True),
    ("\\boxed{42} \\boxed{41}", "42", False, False),
    ("\\boxed{42}" + LATER, "42", True, True),
    ("\\boxed{\\dfrac{3}{4}}", "\\frac{3}{4}", True, True),
    ("\\boxed{\\frac34}", "\\frac{3}{4}", True, True),
    ("\\boxed{0.5}", "\\frac{1}{2}", True, True),
    ("\\boxed{1/2}", "\\frac{1}{2}", True, True),
    ("\\boxed{5}", "x=5", True, True),
    ("\\boxed{x=5}", "5", True, True),
    ("\\boxed{50}", "50\\%", True, True),
    ("\\boxed{90^\\circ}", "90", True, True),
    ("\\boxed{(1, 2)}", "(1,2)", True, True),
    ("\\boxed{\\text{east}}", "\\text{east}", True, True),
    ("\\boxed{(2,1)}", "(1,2)", False, False),
    ("\\boxed{7, 8}", "7", False, False),
    ("\\boxed{}", "42", False, False),
    ("42", "42", False, False),
    ("", "42", False, False),
    # Equal values in another form: against verl's comparison of texts.
    ("\\boxed{0.25}", "\\frac{1}{4}", True, False),
    ("\\boxed{\\sqrt{18}}", "3\\sqrt{2}", True, False),
    ("\\boxed{(x+1)^2}", "x^2+2x+1", True, False),
    ("\\boxed{10,000}", "10000", True, False),
    ("\\boxed{\\{3,2,1\\}}", "\\{1,2,3\\}", True, False),
    ("\\fbox{42}", "42", False, False),
    # A box without braces: against verl.
    ("\\boxed 42", "42", False, True),
    # Blanks between digits: against verl, which deletes them.
    ("\\boxed{4 2}", "42", False, True),
]


@pytest.mark.parametrize(("response", "right", "ours", "theirs"), MATH)
def test_math(response: str, right: str, ours: bool, theirs: bool) -> None:
    verl = module(*VERL, "verl/utils/reward_score/math_reward.py")
    assert (ours_math("", response, right) == 1) == ours
    assert (verl.compute_score(response, right) == 1) == theirs
