"""How much of a plan is told: everything in the artifact, what fits in a comment."""

from __future__ import annotations

from itertools import cycle
from typing import NamedTuple

from runner.report.page import Code, Inline, Line


class Measure(NamedTuple):
    """Limits on what is told."""

    unfolded: int
    """Rows of a table that are seen at once."""
    rows: int
    """Rows of a table in all."""
    text: int
    """Characters of one text of unknown origin."""
    folds: bool = True
    """Whether the folded parts are there."""

    def clip(self, text: str) -> str:
        """Return `text`, cut where it is too long, with what was left out."""
        if len(text) <= self.text:
            return text
        return f"{text[: self.text]}… ({len(text) - self.text:,} more characters)"

    def spoken(self, text: str) -> Line:
        """Return a message of ours as a line: what stands in backticks is code."""
        return spoken(self.clip(text))


def spoken(text: str) -> Line:
    """Return a text with what stands in pairs of backticks as code; one without its pair stays."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return (text,)
    kinds: cycle[type[str] | type[Code]] = cycle((str, Code))
    line: list[Inline] = [kind(part) for kind, part in zip(kinds, parts, strict=False) if part]
    return tuple(line)


WHOLE = (
    Measure(100, 1_000, 2_000),
    Measure(100, 300, 400),
    Measure(50, 100, 200),
)
"""What the artifact and the job summary hold, the fullest first."""

COMMENT = (
    Measure(6, 60, 400),
    Measure(6, 30, 200),
    Measure(6, 12, 120),
    Measure(4, 4, 80, folds=False),
)
"""What a comment holds, the fullest first; the last one fits always."""
