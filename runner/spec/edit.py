"""Change single values in the text of a spec, and leave every other byte as it is.

A spec is never written out anew: comments, order, quotes and blank lines are its author's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import yaml
from yaml import events

from runner.findings import Mark


class Edit(NamedTuple):
    """What stands in the text from `start` to `end` becomes `new`."""

    start: int
    end: int
    new: str


class _Place(NamedTuple):
    """Where a scalar stands, and whether it does so within braces."""

    start: int
    end: int
    in_braces: bool


def replace(text: str, mark: Mark, value: str) -> Edit:
    """Return the edit that puts `value` in the place of the scalar at `mark`."""
    place = _place(text, mark)
    gap = " " if place.start == place.end and text[place.start - 1 : place.start] == ":" else ""
    return Edit(place.start, place.end, gap + value)


def add_beside(text: str, mark: Mark, key_mark: Mark, key: str, value: str) -> Edit:
    """Return the edit that adds `key: value` to the mapping that has the scalar at `mark`.

    It comes right after the scalar, whose key is at `key_mark`; on a line of its own unless the
    mapping stands in braces.
    """
    place = _place(text, mark)
    if place.in_braces:
        return Edit(place.end, place.end, f", {key}: {value}")
    line_end = text.find("\n", place.end - 1)  # a block of text ends behind its line
    indent = " " * (key_mark.column - 1)
    ending = "\r\n" if "\r\n" in text else "\n"
    if line_end < 0:
        return Edit(len(text), len(text), f"{ending}{indent}{key}: {value}")
    return Edit(line_end + 1, line_end + 1, f"{indent}{key}: {value}{ending}")


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with `edits` made, which do not overlap."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _place(text: str, mark: Mark) -> _Place:
    braces: list[bool] = []
    # The parser in Python counts characters from the start, the one in C does not.
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, events.CollectionStartEvent):
            braces.append(bool(event.flow_style))
        elif isinstance(event, events.CollectionEndEvent):
            braces.pop()
        elif isinstance(event, events.ScalarEvent):
            start, end = event.start_mark, event.end_mark
            if start and end and (start.line + 1, start.column + 1) == (mark.line, mark.column):
                return _Place(start.index, end.index, braces[-1])
    raise ValueError(f"no scalar stands at {mark}")
