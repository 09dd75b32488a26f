"""The answers that a reward is tried with: right ones, wrong ones, and what nobody expects.

How a right answer has to look is known from the reward's own CASES; without them usual forms are
tried, and the one that scores highest is taken for it.
"""

from __future__ import annotations

import random
import re
from typing import Any, NamedTuple

REFERENCE = "reference solution"
REQUIRED = "ground truth in required form"
CASES = "the cases that it brings along"
EMPTY = "empty"
WRONG = "wrong, in required form"
OTHER = "another row's ground truth"
NOISE = "2,000 tokens of noise"
LISTED = "all ground truths in a list"
HUGE = "wrong, after 200,000 characters"
UNICODE = "control characters and other scripts"
AGAIN = "the same answer again"
TRACED = "traced"

WRONG_KINDS = (EMPTY, WRONG, OTHER, NOISE, HUGE, UNICODE)

FORMS = {
    "plain": "{}",
    r"`\boxed{}`": r"\boxed{{}}",
    "`#### `": "#### {}",
    "`Answer: `": "Answer: {}",
    "`<answer>`": "<answer>{}</answer>",
}
"""Forms of an answer; `{}` is the place of the answer itself."""

MADE_UP = ("42", "17", "305")
"""Ground truths where nothing is known of the data."""
MOST_ROWS = 20
FEW = 5
LONGEST_TRUTH = 2000
LARGEST_SCORE = 1e300
"""What is below it is finite, and an integer below it can be made a float."""
NOISE_TOKENS = 2000
HUGE_CHARACTERS = 200_000

_WHOLE = re.compile(r"-?[0-9]{1,15}")


class Row(NamedTuple):
    """What a reward is told of a row of the data."""

    data_source: str
    ground_truth: Any
    extra_info: Any
    reference: str

    @property
    def text(self) -> str:
        """The ground truth as it may stand in an answer; empty where it is no short text."""
        truth = self.ground_truth
        if isinstance(truth, list) and truth:
            truth = truth[0]
        if isinstance(truth, bool) or not isinstance(truth, (str, int, float)):
            return ""
        text = str(truth).strip()
        return text if len(text) <= LONGEST_TRUTH else ""


class Case(NamedTuple):
    """One of the reward's own cases."""

    answer: str
    ground_truth: Any
    score: float


class Call(NamedTuple):
    """One call of the reward."""

    kind: str
    row: Row
    answer: str
    expected: float | None = None
    """The score that a case asks for."""

    def request(self) -> dict[str, Any]:
        """Return the call as the isolated process takes it."""
        return {"data_source": self.row.data_source, "solution_str": self.answer,
                "ground_truth": self.row.ground_truth, "extra_info": self.row.extra_info,
                "traced": self.kind == TRACED}  # fmt: skip


def cases_in(value: Any) -> tuple[Case, ...]:
    """Return the cases in what a module calls CASES; none where it means something else by it."""
    found = []
    for one in value if isinstance(value, (list, tuple)) else ():
        if not isinstance(one, (list, tuple)) or len(one) != 3:
            return ()
        answer, truth, score = one
        if not isinstance(answer, str) or isinstance(score, bool):
            return ()
        if not isinstance(score, (int, float)) or not abs(score) < LARGEST_SCORE:
            return ()
        found.append(Case(answer, truth, float(score)))
    return tuple(found[:200])


def rows_of_cases(cases: tuple[Case, ...]) -> tuple[Row, ...]:
    """Return a row for each different ground truth of the cases."""
    truths: list[Any] = []
    for case in cases:
        if case.ground_truth not in truths:
            truths.append(case.ground_truth)
    return tuple(Row("cases", truth, None, "") for truth in truths[:MOST_ROWS])


def made_up_rows() -> tuple[Row, ...]:
    """Return rows where nothing is known of the data."""
    return tuple(Row("made up", truth, None, "") for truth in MADE_UP)


def form_of(cases: tuple[Case, ...]) -> str:
    """Return the form of a right answer, as the first case that shows it; empty when none does."""
    best = max((case.score for case in cases), default=0.0)
    if best == min((case.score for case in cases), default=0.0):
        return ""
    for case in cases:
        truth = str(case.ground_truth)
        shows = truth.strip() and case.answer.count(truth) == 1 and "{}" not in case.answer
        if case.score == best and shows and len(case.answer) <= LONGEST_TRUTH:
            return case.answer.replace(truth, "{}")
    return ""


def in_form(form: str, text: str) -> str:
    """Return an answer that says `text`."""
    head, _, tail = form.partition("{}")
    return f"{head}{text}{tail}"


def first_calls(rows: tuple[Row, ...], cases: tuple[Case, ...]) -> list[Call]:
    """Return the calls that show which form is right: the cases, the references, usual forms."""
    calls = [
        Call(CASES, Row("cases", case.ground_truth, None, ""), case.answer, case.score)
        for case in cases
    ]
    calls += [Call(REFERENCE, row, row.reference) for row in rows if row.reference]
    told = [row for row in rows if row.text]
    for name, form in FORMS.items():
        calls += [Call(name, row, in_form(form, row.text)) for row in told[:FEW]]
    return calls


def further_calls(rows: tuple[Row, ...], form: str) -> list[Call]:
    """Return all other calls; `form` is that of a right answer."""
    told = [row for row in rows if row.text]
    required = [Call(REQUIRED, row, in_form(form, row.text)) for row in told]
    calls = [*required, *(Call(EMPTY, row, "") for row in rows[:FEW])]
    calls += [Call(WRONG, row, in_form(form, _wrong(row.text))) for row in told]
    calls += [Call(NOISE, row, noise(number)) for number, row in enumerate(rows[:3])]
    calls += _others(told, form)
    truths = ", ".join(dict.fromkeys(row.text for row in told))
    if len({row.text for row in told}) >= 3:
        calls += [Call(LISTED, row, in_form(form, truths)) for row in told[:FEW]]
    for row in told[:1]:
        calls += [Call(TRACED, row, in_form(form, row.text)), Call(TRACED, row, noise(0))]
        calls += [Call(UNICODE, row, _strange(form))]
        lengthy = "So it is. " * (HUGE_CHARACTERS // 10)
        calls += [Call(HUGE, row, lengthy + in_form(form, _wrong(row.text)))]
    return calls + [Call(AGAIN, call.row, call.answer) for call in required[:FEW]]


def noise(seed: int) -> str:
    """Return words and numbers without a meaning, the same each time."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    words = []
    for _ in range(NOISE_TOKENS):
        letters = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(4))
        words.append(chance.choice((letters, str(chance.randrange(10**6, 10**7)), "\n", "=", "{")))
    return " ".join(words)


def _others(rows: list[Row], form: str) -> list[Call]:
    """Return, for each row, an answer that is right for another one."""
    calls = []
    for number, row in enumerate(rows):
        others = (other.text for other in rows[number + 1 :] + rows[:number])
        other = next((text for text in others if text != row.text), None)
        if other is not None:
            calls.append(Call(OTHER, row, in_form(form, other)))
    return calls


def _wrong(text: str) -> str:
    """Return something that is surely not `text`: the next number, or a number for a word."""
    return str(int(text) + 1) if _WHOLE.fullmatch(text) else "7913"


def _strange(form: str) -> str:
    digits = "".join(chr(code) for code in range(0x665, 0x66A))
    marks = "".join(map(chr, (0x0, 0x7, 0x1B, 0x202E, 0x200B, 0xFEFF, 0x1F600, 0x301, 0x4E03)))
    return marks + in_form(form, f"{digits}{marks}")
