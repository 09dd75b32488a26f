"""A row as trainers read it, whatever format it came in.

There is one layout per stage:

    sft         messages; tools where rows have them
    rl          data_source, prompt (messages), ability, reward_model {style, ground_truth},
                extra_info {index, …}, and every other column as it is
    preference  prompt, chosen, rejected (messages); tools where rows have them

verl 0.9.1 reads these columns (utils/dataset/multiturn_sft_dataset.py, rl_dataset.py, and its
reward managers), TRL 1.16 the same names for messages and pairs, SkyRL 0.3.0 `prompt`, with the
others as extras of its environment. Text stands for one message: a prompt for the user's, an answer
for the assistant's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.datasets.formats import Content, Format
from runner.datasets.kinds import MISSING, lookup

Row = dict[str, Any]

KEPT = ("images", "videos", "audios", "enable_thinking")
"""Columns of supervised and preference rows that trainers read besides."""
UNNAMED = "train"
"""`data_source` of rows that say none: it only names them in metrics."""


def laid_out(row: Mapping[str, Any], form: Format, index: int, name: str | None = None) -> Row:
    """Return `row` (the one at `index`, from 0) in the layout of its stage.

    With `name`, that of a validation set, an RL row gets `data_source: <name>`, by which verl names
    metrics; what it said before goes to `extra_info.data_source`, for the reward function.
    """
    if form.stage == "rl":
        return _rl(row, form, index, name)
    kept = {column: row[column] for column in KEPT if column in row}
    tools = _tools(_content(row, form, "tools"))
    if tools is not None:
        kept["tools"] = tools
    if form.stage == "sft":
        return {"messages": _conversation(row, form), **kept}
    return {**_pair(row, form), **kept}


def messages_of(value: Any, role: str) -> list[Row]:
    """Return text as one message of `role`, and messages as they are."""
    return [{"role": role, "content": value}] if isinstance(value, str) else list(value)


def _content(row: Mapping[str, Any], form: Format, content: Content) -> Any:
    column = form.column(content)
    value = lookup(row, column) if column else MISSING
    return None if value is MISSING else value


def _conversation(row: Mapping[str, Any], form: Format) -> list[Row]:
    if "messages" in form.columns:
        return list(_content(row, form, "messages"))
    prompt = messages_of(_content(row, form, "prompt"), "user")
    return prompt + messages_of(_content(row, form, "response"), "assistant")


def _pair(row: Mapping[str, Any], form: Format) -> Row:
    chosen = messages_of(_content(row, form, "chosen"), "assistant")
    rejected = messages_of(_content(row, form, "rejected"), "assistant")
    prompt = messages_of(_content(row, form, "prompt") or [], "user")
    if shared := repeated_prompt(chosen, rejected):
        prompt = chosen[:shared]
    return {"prompt": prompt, "chosen": chosen[shared:], "rejected": rejected[shared:]}


def repeated_prompt(chosen: list[Row], rejected: list[Row]) -> int:
    """Return with how many messages of the prompt both conversations begin; 0 for bare answers."""
    if not chosen or chosen[0].get("role") == "assistant":
        return 0
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return shared


def _rl(row: Mapping[str, Any], form: Format, index: int, name: str | None) -> Row:
    taken = {column.partition(".")[0] for column in form.columns.values()}
    others = {column: value for column, value in row.items() if column not in taken}
    source = _content(row, form, "data_source")
    extra, model = row.get("extra_info"), row.get("reward_model")
    info: Row = {"index": index, **(extra if isinstance(extra, Mapping) else {})}
    if name is not None:
        info["data_source"] = source or ""
    rules = {"style": "rule", **(model if isinstance(model, Mapping) else {})}
    return {
        **others,
        "data_source": name or source or UNNAMED,
        "prompt": messages_of(_content(row, form, "prompt"), "user"),
        "ability": row.get("ability") or "",
        "reward_model": {**rules, "ground_truth": _content(row, form, "ground_truth")},
        "extra_info": info,
    }


def _tools(value: Any) -> Any:
    """Return schemas as a list; because they differ in shape, some datasets hold them as JSON."""
    return json.loads(value) if isinstance(value, str) else value
