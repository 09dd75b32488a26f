"""DAPO-Math-17k: 17,398 competition problems with whole numbers as answers (arXiv:2503.14476).

Writes data/dapo-math-17k/rl.train.jsonl. The hub's file repeats each problem about a hundred times
(1,791,700 rows); here it stands once, so that an epoch is a pass over the problems. Prompts are
kept as they are: they ask for a last line `Answer: …`.
"""

from collections.abc import Iterator
from pathlib import Path

from hub import load
from rows import Row, reward_row, write_rows

SOURCE = "BytedTsinghua-SIA/DAPO-Math-17k"
REVISION = "65877096c24ffa7abc4e4fa5edb95cf3413a5674"
FILE = Path("data/dapo-math-17k/rl.train.jsonl")


def main() -> None:
    """Download and write, relative to the current folder."""
    write_rows(FILE, rl_rows())


def rl_rows() -> Iterator[Row]:
    """Every problem once, in the order of its first row.

    Raises ValueError if two rows of one problem have different answers.
    """
    answers: dict[str, str] = {}
    for row in load(SOURCE, REVISION, "train"):
        name, answer = row["extra_info"]["index"], row["reward_model"]["ground_truth"]
        if name not in answers:
            prompt = row["prompt"][0]["content"]
            yield reward_row(SOURCE, "train", len(answers), prompt, answer)
        if answers.setdefault(name, answer) != answer:
            raise ValueError(f"two answers to the problem {name}: {answers[name]} and {answer}")


if __name__ == "__main__":
    main()
