"""The tables of a run as TRL 1.16.0 wants them; formats: TRL's documentation, "Dataset formats".

The node has laid rows out (runner/datasets/layout.py): messages, or prompt, chosen and rejected as
messages, or prompt with what the reward function is given.

A conversation with one answer, its last message, becomes prompt and completion, so that the loss is
on the answer whatever the model's template. In conversations of several answers TRL finds them by
the markers of the template, which it knows for the common families and refuses for others.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from torch.utils.data import Sampler

ROW = "rollbook_row"
"""Column with the row's number, by which answers to one prompt are found again."""
COLUMNS = {
    "sft": ("messages", "tools"),
    "dpo": ("prompt", "chosen", "rejected", "tools"),
}
"""The columns that TRL reads; others would be taken for another format."""


class Limits(NamedTuple):
    """How long texts may be, in tokens."""

    prompt: int
    response: int


def read(path: str, method: str) -> Dataset:
    """Return the rows of the Parquet file at `path` as `method` wants them."""
    rows = Dataset.from_parquet(path)
    if method not in COLUMNS:
        return rows.add_column(ROW, list(range(len(rows))))
    rows = rows.select_columns([name for name in COLUMNS[method] if name in rows.column_names])
    if method == "sft" and all(has_one_answer(messages) for messages in rows["messages"]):
        return rows.map(split, remove_columns=["messages"])
    return rows


def has_one_answer(messages: list[dict[str, Any]]) -> bool:
    """Whether the last message is the only one of the assistant."""
    *before, last = [one["role"] == "assistant" for one in messages]
    return last and not any(before)


def split(row: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation as prompt and completion."""
    return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}


def check_lengths(rows: Dataset, tokenizer: Any, limits: Limits, place: str) -> None:
    """End the program, naming the row, when a text is longer than the spec allows."""
    for number, row in enumerate(rows):
        for what, tokens, most in lengths(row, tokenizer, limits):
            if tokens > most:
                sys.exit(
                    f"{place}, row {number}: the {what} has {tokens} tokens, {most} are allowed "
                    "(data.max_prompt_tokens, data.max_response_tokens); raise that or drop the row"
                )


def lengths(row: dict[str, Any], tokenizer: Any, limits: Limits) -> Iterator[tuple[str, int, int]]:
    """Yield name, tokens and limit of each text of `row`."""
    prompt, tools = row.get("prompt", []), row.get("tools")
    if prompt:
        yield "prompt", count(prompt, tokenizer, tools, is_prompt=True), limits.prompt
    for name in ("completion", "chosen", "rejected", "messages"):
        if row.get(name):
            tokens = count([*prompt, *row[name]], tokenizer, tools)
            yield f"prompt with {name}", tokens, limits.prompt + limits.response


def count(messages: list[Any], tokenizer: Any, tools: Any, is_prompt: bool = False) -> int:
    """Return the number of tokens of a conversation."""
    return len(
        tokenizer.apply_chat_template(
            messages, tools=tools or None, add_generation_prompt=is_prompt, return_dict=False
        )
    )


class WholeSteps(Sampler[int]):
    """Rows in the order of the spec, without those that do not fill a step at an epoch's end.

    The order of an epoch depends on seed and epoch alone, so that a resumed run goes on with the
    rows that it would have seen. Transformers' own sampler ends an epoch with a smaller step.
    """

    def __init__(self, rows: int, per_step: int, seed: int, shuffle: bool) -> None:
        self.rows, self.per_step, self.seed, self.shuffle = rows, per_step, seed, shuffle
        self.epoch = 0

    def __len__(self) -> int:
        return self.rows - self.rows % self.per_step

    def __iter__(self) -> Iterator[int]:
        return iter(list(self.order())[: len(self)])

    def order(self) -> Iterable[int]:
        """The rows of the present epoch."""
        if not self.shuffle:
            return range(self.rows)
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        return torch.randperm(self.rows, generator=generator).tolist()
