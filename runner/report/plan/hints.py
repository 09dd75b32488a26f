"""What is worth a look before approving: the most telling hints, each with its line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.findings import Finding
from runner.report.notation import plural
from runner.report.page import (
    Address,
    Block,
    Code,
    Folded,
    Inline,
    Items,
    Line,
    Strong,
    paragraph,
)
from runner.report.plan.about import About
from runner.report.plan.groups import Group
from runner.report.plan.measure import Measure
from runner.report.plan.reward import reward_faults

SEEN = 3
"""Hints that are seen at once."""

WASTE = (
    "memory.tight",
    "signal.groups",
    "resume.restarted",
    "resume.folder",
    "data.overlap",
    "data.cut",
    "data.duplicates",
    "overrides.replaced",
)
"""Rules about what can lose the run or its worth, the dearest first."""

_LATER = ("batch.leftover", "training.best", "storage.disk", "algorithm.clip_order")
_IMPORTANCE = {rule: rank for rank, rule in enumerate((*WASTE, *_LATER))}
_OTHERS, _IDLE = len(_IMPORTANCE), "spec.idle"


def hints(groups: Iterable[Group]) -> tuple[Finding, ...]:
    """Return the hints on what is launched or may be, each once, the most telling first."""
    found = dict.fromkeys(
        finding
        for group in groups
        if group.first.action in ("launch", "hold", "wait")
        for finding in group.first.findings
        if finding.level == "hint"
    )
    return tuple(sorted(found, key=_rank))


def _rank(finding: Finding) -> int:
    """Return the place of a hint; that a field does nothing yet comes last."""
    return _OTHERS + 1 if finding.rule == _IDLE else _IMPORTANCE.get(finding.rule, _OTHERS)


def hint_blocks(found: Sequence[Finding], about: About, measure: Measure) -> list[Block]:
    """Return rewards that are not sound, then the first hints, one of a kind."""
    chosen = list({finding.rule: finding for finding in reversed(found)}.values())
    chosen.sort(key=found.index)
    faults = reward_faults(about.rewards, measure)
    lines = [*faults, *(finding_line(one, about, measure) for one in chosen[:SEEN])]
    if not lines:
        return []
    return [paragraph(Strong("Look at before approving")), Items(tuple(lines[:SEEN]))]


def all_hints(found: Sequence[Finding], about: About, measure: Measure) -> list[Block]:
    """Return every hint with its cure, folded."""
    if not found:
        return []
    lines = [
        (*finding_line(one, about, measure), " · ", *measure.spoken(one.cure))
        for one in found[: measure.rows]
    ]
    if len(found) > measure.rows:
        lines.append((f"{len(found) - measure.rows:,} more in the artifact",))
    return [Folded(f"{plural(len(found), 'hint')}, with what to do", (Items(tuple(lines)),))]


def finding_line(finding: Finding, about: About, measure: Measure) -> Line:
    """Return a finding: its key, its place, what it says, its rule."""
    sign = "❌" if finding.level == "error" else "⚠️" if finding.rule in WASTE else "ℹ️"
    key: tuple[Inline, ...] = (Code(measure.clip(finding.key)), " ") if finding.key else ()
    told = measure.spoken(finding.message)
    return (
        f"{sign} ",
        *key,
        place(finding, about, measure),
        ": ",
        *told,
        ". ",
        Code(measure.clip(finding.rule)),
    )


def place(finding: Finding, about: About, measure: Measure) -> Address:
    """Return the link to a finding's line."""
    label = f"{measure.clip(finding.path.removeprefix('experiments/'))} L{finding.line}"
    return Address(label, about.link(finding.path, finding.line))
