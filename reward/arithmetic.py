"""The reward for sums: 1 for the right number, 0 for anything else.

The answer is the last line of the response, and nothing but the number in decimal digits may stand
there: no sign, no leading zero, no words. What comes before (reasoning, a call of a tool and what
it returned) is not looked at. So a response that lists many numbers earns nothing.
"""

from typing import Any

# What a response earns, for the reward check: (response, right answer, score).
CASES: list[tuple[str, str, float]] = [
    ("7", "7", 1.0),
    ("7\n", "7", 1.0),
    ("three and four\n7", "7", 1.0),
    ('<tool_call>{"name": "add"}</tool_call>\ntool\n7\nassistant\n7', "7", 1.0),
    ("8", "7", 0.0),
    ("", "7", 0.0),
    ("07", "7", 0.0),
    ("+7", "7", 0.0),
    ("7 or 8", "7", 0.0),
    ("1 2 3 4 5 6 7", "7", 0.0),
    ("7\n8", "7", 0.0),
    ("17", "7", 0.0),
]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
) -> float:
    """1.0 if the last line of the response is the right answer, else 0.0.

    The arguments are verl's; the source of the row and its extra information do not matter.
    """
    lines = solution_str.strip().splitlines()
    return float(bool(lines) and lines[-1].strip() == ground_truth)
