"""What a check says about a spec: one frozen value per finding, as `validate --json` prints it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["error", "hint"]


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    path: str
    line: int
    column: int


class Finding(NamedTuple):
    """One thing that is wrong (`error`, blocks) or worth a look (`hint`) in a spec."""

    path: str
    """The file, relative to the registry's root."""
    line: int
    column: int
    key: str
    """The dotted key, such as `training.learning_rate`; empty for the whole file."""
    rule: str
    """The id of the rule, such as `spec.unknown_key`."""
    level: Level
    message: str
    """What is wrong and why, with the numbers in it."""
    cure: str
    """What to do about it."""
    mended: str = ""
    """The line as it should be, where that is known."""


def at(mark: Mark, key: str, rule: str, message: str, cure: str, level: Level = "error") -> Finding:
    """Return a finding of `rule` at `mark`."""
    return Finding(mark.path, mark.line, mark.column, key, rule, level, message, cure)
