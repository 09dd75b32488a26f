"""What is refused: the finding with its place, rule and cure, and the mended line."""

from __future__ import annotations

from collections.abc import Sequence

from runner.findings import Finding
from runner.planning.actions import Action, Plan
from runner.report.notation import plural
from runner.report.page import (
    Block,
    Code,
    Difference,
    Folded,
    Inline,
    Items,
    Line,
    Strong,
    paragraph,
)
from runner.report.plan.about import About
from runner.report.plan.hints import finding_line, place
from runner.report.plan.measure import Measure

SEEN = 3
"""Further findings that are seen at once."""


def refusals(plan: Plan) -> tuple[Action, ...]:
    """Return the refused experiments."""
    return tuple(action for action in plan.actions if action.action == "refuse")


def errors(refused: Sequence[Action]) -> tuple[Finding, ...]:
    """Return what is wrong, each once: experiments share what is wrong in their bases."""
    found = [one for action in refused for one in action.findings if one.level == "error"]
    return tuple(
        {(one.rule, one.path, one.line, one.column): one for one in reversed(found)}.values()
    )[::-1]


def refusal_blocks(refused: Sequence[Action], about: About, measure: Measure) -> list[Block]:
    """Return the first finding with its cure, then some more, the rest folded."""
    found = errors(refused)
    if not found:
        return []
    first, others = found[0], found[1:]
    key: tuple[Inline, ...] = (" · ", Code(measure.clip(first.key))) if first.key else ()
    where: Line = (place(first, about, measure), *key, " · ", Code(measure.clip(first.rule)))
    cure: Line = (Strong("Cure"), ": ", *measure.spoken(first.cure))
    blocks: list[Block] = [paragraph(*where), paragraph(*cure), *_mended(found, about, measure)]
    blocks += _further(others, about, measure)
    return blocks


def _mended(found: Sequence[Finding], about: About, measure: Measure) -> list[Block]:
    """Return how the first finding's line should be, as it or another one about it says."""
    line = (found[0].path, found[0].line)
    finding = next((one for one in found if one.mended and (one.path, one.line) == line), None)
    if finding is None:
        return []
    text = (about.read(finding.path) or b"").decode("utf-8", "replace").split("\n")
    before = text[finding.line - 1].rstrip() if 0 < finding.line <= len(text) else ""
    return [Difference(measure.clip(before), measure.clip(finding.mended))]


def _further(found: Sequence[Finding], about: About, measure: Measure) -> list[Block]:
    if not found:
        return []
    lines = [
        (*finding_line(one, about, measure), " · ", *measure.spoken(one.cure))
        for one in found[: measure.rows]
    ]
    blocks: list[Block] = [Items(tuple(lines[:SEEN]))]
    if len(found) > len(lines):
        lines.append((f"{len(found) - len(lines):,} more in the artifact",))
    if rest := lines[SEEN:]:
        told = plural(len(found) - SEEN, "more finding")
        blocks.append(Folded(told, (Items(tuple(rest)),)))
    return blocks
