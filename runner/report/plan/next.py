"""What to type next, and who may: each plan ends with commands."""

from __future__ import annotations

from collections.abc import Sequence

from runner.report.page import Block, Code, Inline, Line, Paragraph, Strong
from runner.report.plan.about import About
from runner.report.plan.groups import Group
from runner.report.plan.measure import Measure

_NAMED = 3


def hold_lines(groups: Sequence[Group], about: About, measure: Measure) -> list[Block]:
    """Return who may lift what is held, and with which words."""
    lines: list[Line] = []
    for lifted_by, whom in (("owner", _owners(about, measure)), ("writer", _WRITERS)):
        held = [one.first.experiment for one in groups if one.first.lifted_by == lifted_by]
        if held:
            lines.append(
                (*_held(held, measure), *whom, ": ", *_words(measure.clip(held[0]), about))
            )
    return [Paragraph(tuple(lines))] if lines else []


_WRITERS: Line = ("waits for anyone with write access",)


def _owners(about: About, measure: Measure) -> Line:
    """Name the owners as code, which mentions nobody."""
    if not about.owners:
        return ("waits for an owner, and registry.yaml names none under policy",)
    names: list[Inline] = ["waits for the yes of "]
    for number, owner in enumerate(about.owners[: measure.unfolded]):
        names += [" or "] if number else []
        names.append(Code(measure.clip(owner)))
    return tuple(names)


def _held(names: Sequence[str], measure: Measure) -> Line:
    unique = list(dict.fromkeys(names))
    shown: list[Inline] = [Strong("Held"), ": "]
    for number, name in enumerate(unique[:_NAMED]):
        shown += [", "] if number else []
        shown.append(Code(measure.clip(name)))
    if len(unique) > _NAMED:
        shown.append(f" and {len(unique) - _NAMED:,} more")
    return (*shown, " ")


def _words(name: str, about: About) -> Line:
    command = Code(f"runner launch {name}")
    if about.number is None:
        return (command, " once it is merged")
    return (command, " or the comment ", Code(f"/runner launch {name}"), ", once it is merged")


def next_line(
    groups: Sequence[Group], refused: Sequence[str], about: About, measure: Measure
) -> Paragraph | None:
    """Return the commands that lead on from this plan; None where there is nothing to do."""
    parts: list[Line] = []
    if refused:
        parts.append(
            (Code(f"runner validate {measure.clip(refused[0])}"), " says the same before you push")
        )
    if trial := _first(groups, "launch", measure) or _first(groups, "hold", measure):
        line: Line = (Code(f"runner try {trial} --steps 2"), " before merging")
        if about.number is not None:
            line = (*line, " (or comment ", Code(f"/runner try {trial}"), ")")
        parts.append(line)
    if stale := _first(groups, "stale", measure):
        parts.append((Code(f"runner rerun {stale}"), " runs a stale one again"))
    if left := next((one.first for one in groups if _goes_on(one)), None):
        parts.append((Code(f"runner cancel {left.run_id}"), " stops one that has lost its spec"))
    if not parts:
        return None
    if about.number is not None:
        parts.append((Code("/runner help"),))
    joined: list[Inline] = [Strong("Next"), ": "]
    for number, part in enumerate(parts):
        joined += [" · ", *part] if number else part
    return Paragraph((tuple(joined),))


def _goes_on(group: Group) -> bool:
    return group.first.action == "orphan" and "runner cancel " in group.first.reason


def _first(groups: Sequence[Group], verb: str, measure: Measure) -> str | None:
    found = (one.first.experiment for one in groups if one.first.action == verb)
    return next((measure.clip(name) for name in found), None)
