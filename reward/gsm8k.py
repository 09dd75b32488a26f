"""The reward for GSM8K: 1 for the right number after the last "####", 0 for anything else.

The answer is the first word after the last `####` of the response that has a word after it on its
line. A dollar sign before the number and punctuation, a percent sign or asterisks around it do not
count; thousands may be set off by commas. What is left has to be a decimal number, and is compared
by its value. What comes before that marker is not looked at, tags such as <think> mean nothing,
and there is no reward for the form alone.

Where known scorers disagree, this one decides so (`tests/oracles/test_rewards.py` holds it to
verl 0.9.1, skyrl-gym 0.4.0 and OpenAI's original):

- Two markers: the last one counts, as in verl. OpenAI's original and skyrl-gym take the first one,
  so that a policy is paid for an answer that it takes back.
- Much text after the answer: still right, as in OpenAI's original and skyrl-gym. verl sees the last
  300 characters only, and punishes what it never read.
- `#### 42.`, `#### $42`, `#### 42.0`, `####42`: right for 42; wrong in all three, which compare
  the text. They say 42, and the exercise is arithmetic.
- `#### 42/7`, `#### 42x`, `#### 4,2`: wrong for 42. verl and skyrl-gym read the first digits of a
  longer expression, and leave out commas wherever they stand.
"""

import re
from typing import Any

# What a response earns, for the reward check: (response, right answer, score).
CASES: list[tuple[str, str, float]] = [
    ("6 times 7 is 42.\n#### 42", "42", 1.0),
    ("#### 42\n", "42", 1.0),
    ("#### 42 apples", "42", 1.0),
    ("#### 1,000", "1000", 1.0),
    ("#### -3", "-3", 1.0),
    ("#### 41\nNo, that is wrong.\n#### 42", "42", 1.0),
    ("#### 42\nNo, that is wrong.\n#### 41", "42", 0.0),
    ("#### 42\n" + "So it is. " * 40, "42", 1.0),
    ("#### 42 ####", "42", 1.0),
    ("#### 42.", "42", 1.0),
    ("#### 42.0", "42", 1.0),
    ("#### $42", "42", 1.0),
    ("####42", "42", 1.0),
    ("#### **42**", "42", 1.0),
    ("<think>#### 42</think>\n#### 7", "42", 0.0),
    ("", "42", 0.0),
    ("42", "42", 0.0),
    (r"\boxed{42}", "42", 0.0),
    ("#### 43", "42", 0.0),
    ("#### 421", "42", 0.0),
    ("#### 42/7", "42", 0.0),
    ("#### 4,2", "42", 0.0),
    ("#### 40 41 42", "42", 0.0),
    ("#### forty-two", "42", 0.0),
    ("####", "42", 0.0),
    ("#### \N{ARABIC-INDIC DIGIT FOUR}\N{ARABIC-INDIC DIGIT TWO}", "42", 0.0),
]

LONGEST_WORD = 100
"""Characters of a word that are looked at; a longer one is no number of this dataset."""

_NUMBER = re.compile(r"([+-]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.([0-9]*))?")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
) -> float:
    """1.0 if the number after the last "####" is the right answer, else 0.0.

    The arguments are verl's; the source of the row and its extra information do not matter.
    Raises ValueError if the right answer is no number: that is a mistake in the data.
    """
    right = number(ground_truth.strip())
    if right is None:
        raise ValueError(f"the right answer {ground_truth!r} is no decimal number")
    return float(number(answer(solution_str)) == right)


def answer(response: str) -> str:
    """The first word after the last "####" with a word after it on its line; "" without one."""
    end = len(response)
    while (marker := response.rfind("####", 0, end)) >= 0:
        # The text after an earlier marker ends at the later one, so that all are read once only.
        rest = response[marker + 4 : end].split("\n", 1)[0].split(maxsplit=1)
        if rest:
            return rest[0]
        end = marker
    return ""


def number(word: str) -> str | None:
    """The canonical form of a decimal number: "+1,050.50." is "1050.5"; None for another word."""
    if len(word) > LONGEST_WORD:
        return None
    found = _NUMBER.fullmatch(word.lstrip("*($").rstrip(".,;:!?)%*$"))
    if not found or not (found[2] or found[3]):
        return None
    whole = (found[2] or "").replace(",", "").lstrip("0") or "0"
    decimals = (found[3] or "").rstrip("0")
    value = f"{whole}.{decimals}" if decimals else whole
    return f"-{value}" if found[1] == "-" and value != "0" else value
