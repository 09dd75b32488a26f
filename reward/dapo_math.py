r"""The reward of DAPO (Yu et al. 2025, arXiv 2503.14476): +1 for the right answer, -1 otherwise.

The answer is what follows the last `Answer:` of the response (upper or lower case) on its line, as
the prompts of DAPO-Math-17k and AIME here ask for; in a response without such a line it is what the
last `\boxed{…}` holds. Marks of formulas (`$`, `\(`), a box around it, `\text{…}`, asterisks,
blanks around it and a full stop at the end do not count. Whole numbers are compared by value (`042`
and `1,000` are 42 and 1000), everything else as text: all right answers of both datasets are whole
numbers. `acc` is 1 or 0; verl makes accuracies of it, and judges by it which groups of answers
dynamic sampling keeps.

Where known scorers disagree, this one decides so (`tests/oracles/test_rewards.py` holds it to
verl 0.9.1 and skyrl-gym 0.4.0):

- Much text after the answer: still right. Both see the last 300 characters only.
- `\boxed{42}` without `Answer:`: right, as in verl 0.9.1, which looks at the last 100 characters
  for it. skyrl-gym has the older scorer without that, and ends an answer at "<".
- `Answer: 42.`: right. Both keep the full stop and call it wrong.
- `Answer: x = 42`: right, as in both: what follows the last "=" counts.
- Units and articles stay. Both delete some English words wherever they stand, also within others.
- `Answer: 4 2` is not 42. Both delete all blanks.
- `Answer: 1/2` is not 0.5, as in both. For answers that are no whole numbers take `reward/math.py`.
"""

import re
from typing import Any

from reward.math import last_boxed

# What a response earns, for the reward check: (response, right answer, score).
CASES: list[tuple[str, str, float]] = [
    ("So it is 42.\nAnswer: 42", "42", 1.0),
    ("answer : 42", "42", 1.0),
    ("Answer: $42$", "42", 1.0),
    (r"**Answer:** $\boxed{42}$", "42", 1.0),
    (r"**Answer**: \(42\)", "42", 1.0),
    ("Answer: 42.", "42", 1.0),
    ("Answer: 042", "42", 1.0),
    ("Answer: 1,000", "1000", 1.0),
    ("Answer: x = 42", "42", 1.0),
    ("Answer: 41\nNo.\nAnswer: 42", "42", 1.0),
    ("Answer: 42\nNo.\nAnswer: 41", "42", -1.0),
    ("Answer: 42\n" + "So it is. " * 40, "42", 1.0),
    (r"It is \boxed{42}.", "42", 1.0),
    ("It is \\boxed{42}.\n" + "So it is. " * 40, "42", 1.0),
    ("\\boxed{42}\nAnswer: 41", "42", -1.0),
    ("<think>Answer: 42</think>\nAnswer: 7", "42", -1.0),
    ("", "42", -1.0),
    ("42", "42", -1.0),
    ("Answer:", "42", -1.0),
    ("Answer: 43", "42", -1.0),
    ("Answer: 42 or 43", "42", -1.0),
    ("Answer: 40 41 42", "42", -1.0),
    ("Answer: 4 2", "42", -1.0),
    ("Answer: 1/2", "0.5", -1.0),
    ("Answer: \N{ARABIC-INDIC DIGIT FOUR}\N{ARABIC-INDIC DIGIT TWO}", "42", -1.0),
]

LONGEST_ANSWER = 400
"""Characters of an answer that is read; a longer one is wrong."""

_MARKER = re.compile(r"answer[\s*]{0,9}:", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"(-?)0*([0-9]+)")
_GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+")
_WRAPPED = re.compile(r"\\(?:boxed|text|textbf|mathrm)\{([^{}]*)\}")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
) -> dict[str, float]:
    """`score` (1 or -1), and `acc` (1 or 0).

    The arguments are verl's; the source of the row and its extra information do not matter.
    """
    given = answer(solution_str)
    right = len(given) <= LONGEST_ANSWER and plain(given) == plain(ground_truth) != ""
    return {"score": 1.0 if right else -1.0, "acc": 1.0 if right else 0.0}


def answer(response: str) -> str:
    """What follows the last "Answer:" on its line; without one what the last box holds."""
    markers = [match.end() for match in _MARKER.finditer(response)]
    if markers:
        return response[markers[-1] :].split("\n", 1)[0]
    return last_boxed(response)


def plain(text: str) -> str:
    r"""The bare answer: `**x = $\boxed{1,000}$.**` is 1000."""
    bare = re.sub(r"[$*]|\\[()]", "", text)
    bare = _WRAPPED.sub(r"\1", bare).rpartition("=")[2].strip().rstrip(".")
    if _GROUPED.fullmatch(bare):
        bare = bare.replace(",", "")
    whole = _WHOLE.fullmatch(bare)
    return whole[1] + whole[2] if whole and whole[2] != "0" else "0" if whole else bare
