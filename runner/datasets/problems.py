"""What is wrong with a row, by the format that it should have.

A problem is `error` where training would fail or learn from nothing, `hint` where the row is only
of no use.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.datasets.formats import KINDS, Content, Format
from runner.datasets.kinds import MESSAGES, MISSING, NONE, TEXT, kind_of, lookup
from runner.datasets.layout import repeated_prompt
from runner.findings import Level

ROLES = ("system", "developer", "user", "assistant", "tool")
"""Roles that chat templates know."""
OTHER_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant",
               "function": "tool", "ai": "assistant"}  # fmt: skip
"""Roles of other conventions, and what they are here."""


class Problem(NamedTuple):
    """Something that is wrong with a row."""

    column: str
    kind: str
    """Such as `empty`: problems of one kind in one column are counted together."""
    message: str
    level: Level = "error"


def problems_of(row: Mapping[str, Any], form: Format) -> Iterator[Problem]:
    """Yield what is wrong with `row`, a row of the format `form`."""
    sound = True
    for content, column in form.columns.items():
        for problem in _of_content(content, column, lookup(row, column)):
            sound = False
            yield problem
    for content, column in form.optional.items():
        value = lookup(row, column)
        if value is not MISSING and value is not None:
            yield from _of_content(content, column, value)
    if form.stage == "preference" and sound:
        yield from _of_pair(row, form)


def _of_content(content: Content, column: str, value: Any) -> Iterator[Problem]:
    kind, wanted = kind_of(value), KINDS[content]
    if kind == NONE:
        yield Problem(column, "missing", "is missing")
    elif value in ("", [], {}) or (kind == TEXT and not value.strip()):
        yield Problem(column, "empty", "is empty")
    elif content == "tools":
        yield from _of_tools(column, value)
    elif kind not in wanted:
        yield Problem(column, "type", f"is {_a(kind)}, not {' or '.join(wanted)}")
    elif kind == MESSAGES:
        yield from _of_messages(column, value)
        yield from _of_last(content, column, value[-1])


def _of_messages(column: str, messages: list[Mapping[str, Any]]) -> Iterator[Problem]:
    for number, message in enumerate(messages):
        role, content, where = message.get("role"), message.get("content"), f"{column}[{number}]"
        if role not in ROLES:
            right = OTHER_ROLES.get(str(role).lower())
            cure = f"write `{right}`" if right else f"they know {', '.join(ROLES)}"
            told = f"{where} has the role `{role}`, which chat templates do not know: {cure}"
            yield Problem(column, "role", told)
        if not isinstance(content, str | list) and not message.get("tool_calls"):
            told = "no content" if content is None else f"{_a(kind_of(content))} as content"
            yield Problem(column, "content", f"{where} has {told}, not text")
        elif not content and not message.get("tool_calls") and role != "system":
            yield Problem(column, "empty", f"{where} ({role}) is empty")


def _of_last(content: Content, column: str, last: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problem of a conversation that the wrong one ends."""
    is_assistant = last.get("role") in ("assistant", *(
        other for other, meant in OTHER_ROLES.items() if meant == "assistant"
    ))  # fmt: skip
    if content == "prompt" and is_assistant:
        message = "ends with the assistant's message: there is nothing left to answer"
        yield Problem(column, "last", message)
    if content != "prompt" and not is_assistant:
        message = f"ends with a message of `{last.get('role')}`, not of the assistant"
        yield Problem(column, "last", message)


def _of_tools(column: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            yield Problem(column, "type", "is text that is no JSON")
            return
    if not isinstance(value, list):
        yield Problem(column, "type", f"is {_a(kind_of(value))}, not a list of schemas")
        return
    for number, tool in enumerate(value):
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not function.get("name"):
            message = f"{column}[{number}] is no schema of a function: it has no name"
            yield Problem(column, "type", message)


def _of_pair(row: Mapping[str, Any], form: Format) -> Iterator[Problem]:
    columns = form.columns["chosen"], form.columns["rejected"]
    chosen, rejected = (lookup(row, column) for column in columns)
    if chosen == rejected:
        message = f"is the same as `{columns[0]}`: there is no preference"
        yield Problem(columns[1], "same", message, "hint")
    elif kind_of(chosen) != kind_of(rejected):
        message = f"is {_a(kind_of(rejected))}, and `{columns[0]}` is {_a(kind_of(chosen))}"
        yield Problem(columns[1], "type", message)
    elif "prompt" not in form.columns and (
        isinstance(chosen, str) or not repeated_prompt(chosen, rejected)
    ):
        message = f"and `{columns[1]}` do not begin with the same prompt, and no column has it"
        yield Problem(columns[0], "prompt", message)


def _a(kind: str) -> str:
    return {TEXT: "text", MESSAGES: "messages", "list": "a list", "object": "an object",
            "number": "a number"}.get(kind, kind)  # fmt: skip
