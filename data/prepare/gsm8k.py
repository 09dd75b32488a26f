"""GSM8K: 7473 + 1319 grade-school word problems (Cobbe et al., arXiv:2110.14168).

Writes data/gsm8k/rl.{train,val}.jsonl and sft.{train,val}.jsonl; the hub's test split is `val`.
"""

from pathlib import Path

from hub import load
from rows import Row, message, reward_row, write_rows

SOURCE = "openai/gsm8k"
REVISION = "e53f048856ff4f594e959d75785d2c2d37b678ee"
FOLDER = Path("data/gsm8k")
INSTRUCTION = 'Let\'s think step by step and output the final answer after "####".'


def main() -> None:
    """Download and write, relative to the current folder."""
    for split, hub_split in {"train": "train", "val": "test"}.items():
        problems = list(load(SOURCE, REVISION, hub_split, folder="main"))
        rl = (rl_row(split, index, problem) for index, problem in enumerate(problems))
        write_rows(FOLDER / f"rl.{split}.jsonl", rl)
        write_rows(FOLDER / f"sft.{split}.jsonl", map(sft_row, problems))


def prompt(problem: Row) -> str:
    """The question, and how to answer."""
    return f"{problem['question']} {INSTRUCTION}"


def rl_row(split: str, index: int, problem: Row) -> Row:
    """The answer follows "####" in the solution; "1,000" becomes "1000"."""
    answer = problem["answer"].rpartition("####")[2].strip().replace(",", "")
    return reward_row(SOURCE, split, index, prompt(problem), answer)


def sft_row(problem: Row) -> Row:
    """The question and the worked solution."""
    return {"messages": [message("user", prompt(problem)), message("assistant", problem["answer"])]}


if __name__ == "__main__":
    main()
