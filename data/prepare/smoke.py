"""The smoke data: sums of two digits for every kind of training, and two tiny untrained models.

Needs only numpy and a second, and writes the same bytes on every machine. Of the 25 sums of the
digits 0 to 4, 20 are for training and 5, whose mirrored sums (b+a) are trained on, are held out for
validation: few enough for a tiny model to learn within some twenty steps.

| data/smoke/…                 | a row is                                                         |
|------------------------------|------------------------------------------------------------------|
| sft.{train,val}.jsonl        | a question, an answer of a teacher who is right in 8 of 20 rows  |
| rl.{train,val}.jsonl         | a question, the right answer for the reward function             |
| preference.{train,val}.jsonl | a question, the right answer and a wrong one                     |
| tools.{train,val}.jsonl      | as rl, for an agent that may call the tool `add`                 |
| tools-sft.{train,val}.jsonl  | a question, a call of `add`, what it returned, the answer        |

The teacher is poor on purpose: imitating it teaches the format and leaves reinforcement learning
something to find, a policy that is right more often than its teacher.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rows import Row, message, reward_row, write_rows
from tiny_model import write_model

DATA = Path("data/smoke")
MODELS = Path("models/smoke")

DIGITS = range(5)
TEACHER_ROWS = 20  # per sum
TEACHER_RIGHT = 8  # of those
WRONG_BY = (1, -1, 2, -2, 3, -3)  # what the others are off by

ADD_TOOL: Row = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two integers.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "first number"},
                "b": {"type": "integer", "description": "second number"},
            },
            "required": ["a", "b"],
        },
    },
}


class Sum(NamedTuple):
    """One question, two digits to add."""

    a: int
    b: int

    @property
    def question(self) -> str:
        """What the model is asked."""
        return f"{self.a}+{self.b}="

    @property
    def answer(self) -> str:
        """The right answer."""
        return str(self.a + self.b)

    def wrong_answer(self, choice: int) -> str:
        """An answer that is 1 to 3 off, and never negative."""
        other = self.a + self.b + WRONG_BY[choice % len(WRONG_BY)]
        return str(other if other >= 0 else -other + 3)


def main() -> None:
    """Write everything, relative to the current folder."""
    for split, sums in split_sums().items():
        datasets = {
            "sft": sft_rows(sums),
            "rl": (rl_row(split, index, s) for index, s in enumerate(sums)),
            "preference": preference_rows(sums),
            "tools": (tools_row(split, index, s) for index, s in enumerate(sums)),
            "tools-sft": map(tools_sft_row, sums),
        }
        for name, rows in datasets.items():
            write_rows(DATA / f"{name}.{split}.jsonl", rows)
    write_model(MODELS / "qwen2", "qwen2", seed=2)
    write_model(MODELS / "qwen3", "qwen3", seed=3)


def split_sums() -> dict[str, list[Sum]]:
    """All sums; held out is every second of those with a > b."""
    everything = [Sum(a, b) for a in DIGITS for b in DIGITS]
    held_out = [s for s in everything if s.a > s.b][::2]
    return {"train": [s for s in everything if s not in held_out], "val": held_out}


def sft_rows(sums: list[Sum]) -> Iterator[Row]:
    """What the teacher said about each sum, several times."""
    for number in range(TEACHER_ROWS):
        for s in sums:
            answer = s.answer if number < TEACHER_RIGHT else s.wrong_answer(number)
            yield {"messages": [message("user", s.question), message("assistant", answer)]}


def rl_row(split: str, index: int, s: Sum) -> Row:
    """The question, and the right answer for the reward function."""
    return reward_row("smoke/arithmetic", split, index, s.question, s.answer)


def tools_row(split: str, index: int, s: Sum) -> Row:
    """The same prompt for verl's agent loop with tools (`agent_name` selects it per row)."""
    row = reward_row("smoke/arithmetic-tools", split, index, s.question, s.answer)
    row["extra_info"]["need_tools_kwargs"] = False  # `add` keeps no state per conversation
    return row | {"agent_name": "tool_agent"}


def preference_rows(sums: list[Sum]) -> Iterator[Row]:
    """Each sum with three different wrong answers."""
    for number in range(3):
        for s in sums:
            yield {
                "prompt": [message("user", s.question)],
                "chosen": [message("assistant", s.answer)],
                "rejected": [message("assistant", s.wrong_answer(number))],
            }


def tools_sft_row(s: Sum) -> Row:
    """A conversation with one tool call, written as the text that the model has to produce."""
    call = json.dumps({"name": "add", "arguments": s._asdict()})
    messages = [
        message("user", s.question),
        message("assistant", f"<tool_call>{call}</tool_call>"),
        message("tool", s.answer),
        message("assistant", s.answer),
    ]
    return {"messages": messages, "tools": [ADD_TOOL]}


if __name__ == "__main__":
    main()
