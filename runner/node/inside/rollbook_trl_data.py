"""The tables of a run as TRL 1.16.0 wants them; formats: TRL's documentation, "Dataset formats".

A conversation with one answer, its last message, becomes prompt and completion, so that the loss is
on the answer whatever the model's template. In conversations of several answers TRL finds them by
the markers of the template, which it knows for the common families and refuses for others.
"""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from datasets import Dataset
from torch.utils.data import Sampler

ROW = "rollbook_row"
"""Column with the row's number, by which answers to one prompt are found again."""
SFT_NAMES = {"response": "completion", "question": "prompt", "answer": "completion"}


class Limits(NamedTuple):
    """How long texts may be, in tokens."""

    prompt: int
    response: int


def read(path: str, method: str) -> Dataset:
    """Return the rows of the Parquet file at `path` as `method` wants them."""
    rows = Dataset.from_parquet(path)
    if method == "sft":
        return supervised(rows)
    if method == "dpo":
        return preferences(rows)
    return rows.add_column(ROW, list(range(len(rows))))


def supervised(rows: Dataset) -> Dataset:
    """Return columns prompt and completion, or messages where there are several answers."""
    if "messages" in rows.column_names:
        rows = rows.select_columns(["messages"])
        if all(has_one_answer(messages) for messages in rows["messages"]):
            return rows.map(split, remove_columns=["messages"])
        return rows
    names = {old: new for old, new in SFT_NAMES.items() if old in rows.column_names}
    rows = rows.rename_columns(names).select_columns(["prompt", "completion"])
    return rows.map(partial(as_conversation, answers=("completion",)))


def has_one_answer(messages: list[dict[str, Any]]) -> bool:
    """Whether the last message is the only one of the assistant."""
    *before, last = [one["role"] == "assistant" for one in messages]
    return last and not any(before)


def split(row: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation as prompt and completion."""
    return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}


def preferences(rows: Dataset) -> Dataset:
    """Return columns chosen and rejected, and prompt unless the answers repeat it themselves."""
    wanted = [name for name in ("prompt", "chosen", "rejected") if name in rows.column_names]
    rows = rows.select_columns(wanted)
    if "prompt" not in wanted:
        return rows
    return rows.map(partial(as_conversation, answers=("chosen", "rejected")))


def as_conversation(row: dict[str, Any], answers: tuple[str, ...]) -> dict[str, Any]:
    """Return `row` with answers that are text as messages, where its prompt is messages."""
    if isinstance(row["prompt"], str):
        return row
    texts = {name: row[name] for name in answers if isinstance(row[name], str)}
    told = {name: [{"role": "assistant", "content": text}] for name, text in texts.items()}
    return {**row, **told}


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
    whole = limits.prompt + limits.response
    prompt = row.get("prompt", "")
    if prompt:
        yield "prompt", count(prompt, tokenizer, is_prompt=True), limits.prompt
    for name in ("completion", "chosen", "rejected", "messages"):
        if row.get(name):
            yield f"prompt with {name}", count(prompt + row[name] if prompt else row[name],
                                               tokenizer), whole  # fmt: skip


def count(text: Any, tokenizer: Any, is_prompt: bool = False) -> int:
    """Return the number of tokens of a text or a conversation."""
    if isinstance(text, str):
        return len(tokenizer(text)["input_ids"])
    ids = tokenizer.apply_chat_template(text, add_generation_prompt=is_prompt, return_dict=False)
    return len(ids)


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
        return permutation(self.rows, self.seed + self.epoch)


def permutation(number: int, seed: int) -> list[int]:
    """Numbers below `number` in an order made from `seed`."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    order: list[int] = torch.randperm(number, generator=generator).tolist()
    return order
