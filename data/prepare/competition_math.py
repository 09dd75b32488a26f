r"""MATH: 7500 + 5000 competition problems (Hendrycks et al., arXiv:2103.03874).

Writes data/math/rl.{train,val}.jsonl; the hub's test split is `val`. The right answer is what the
last \boxed{} of the solution holds, in LaTeX.
"""

from collections.abc import Iterator
from pathlib import Path

from hub import load
from rows import Row, reward_row, write_rows

SOURCE = "EleutherAI/hendrycks_math"
REVISION = "21a5633873b6a120296cce3e2df9d5550074f4a3"
FOLDER = Path("data/math")
INSTRUCTION = r"Let's think step by step and output the final answer within \boxed{}."
SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


def main() -> None:
    """Download and write, relative to the current folder."""
    for split, hub_split in {"train": "train", "val": "test"}.items():
        write_rows(FOLDER / f"rl.{split}.jsonl", rl_rows(split, hub_split))


def rl_rows(split: str, hub_split: str) -> Iterator[Row]:
    """Every problem of every subject with its level (Level 1 to Level 5) and subject."""
    index = 0
    for subject in SUBJECTS:
        for problem in load(SOURCE, REVISION, hub_split, folder=subject):
            question = f"{problem['problem']} {INSTRUCTION}"
            row = reward_row(SOURCE, split, index, question, last_boxed(problem["solution"]))
            row["extra_info"] |= {"level": problem["level"], "subject": subject}
            yield row
            index += 1


def last_boxed(solution: str) -> str:
    r"""What the last \boxed{…} holds, braces balanced; also \boxed 5, as a few solutions have it.

    Raises ValueError if the solution has none.
    """
    _, found, rest = solution.rpartition(r"\boxed")
    if not found:
        raise ValueError(f"no boxed answer in {solution!r}")
    if not rest.startswith("{"):
        return rest.split("$")[0].strip()
    depth = 0
    for end, character in enumerate(rest):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return rest[1:end]
    raise ValueError(f"unbalanced braces in {solution!r}")


if __name__ == "__main__":
    main()
