"""AIME 2024 and 2025: 30 problems each, answers are whole numbers from 0 to 999.

Writes data/aime/rl.2024.jsonl and rl.2025.jsonl, for validation only. The prompt is worded as those
of DAPO-Math-17k. One problem is 3.3 points of accuracy: sample each several times.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hub import load
from rows import Row, reward_row, write_rows

FOLDER = Path("data/aime")
PROMPT = """\
Solve the following math problem step by step. The last line of your response should be of the \
form Answer: $Answer (without quotes) where $Answer is the answer to the problem.

{problem}

Remember to put your answer on its own line after "Answer:"."""


class Exam(NamedTuple):
    """One year's problems on the hub."""

    source: str
    revision: str
    split: str


EXAMS = {
    2024: Exam("HuggingFaceH4/aime_2024", "2fe88a2f1091d5048c0f36abc874fb997b3dd99a", "train"),
    2025: Exam("math-ai/aime25", "563bb8404243c5f09de6ec262f2db674fe5bce9b", "test"),
}


def main() -> None:
    """Download and write, relative to the current folder."""
    for year, exam in EXAMS.items():
        write_rows(FOLDER / f"rl.{year}.jsonl", rl_rows(exam))


def rl_rows(exam: Exam) -> Iterator[Row]:
    """Every problem with its answer."""
    for index, row in enumerate(load(exam.source, exam.revision, exam.split)):
        prompt = PROMPT.format(problem=row["problem"])
        yield reward_row(exam.source, "val", index, prompt, str(row["answer"]))


if __name__ == "__main__":
    main()
