"""What a plan expects of its runs, folded: memory, batches, storage, repeats, what will run."""

from __future__ import annotations

from collections.abc import Sequence

from runner.forecast.document import Forecast, Memory
from runner.forecast.lines import lines as forecast_lines
from runner.report.notation import plural
from runner.report.page import (
    Block,
    Code,
    Folded,
    Items,
    Line,
    Paragraph,
    Strong,
    Table,
    Unbroken,
    paragraph,
)
from runner.report.plan.groups import Group
from runner.report.plan.measure import Measure
from runner.rules.determinism import best_verdict

_MEMORY_RULES = ("memory.fits", "memory.tight")
_REPEATS = {
    "bitwise": "can be bitwise the same",
    "curve": "can follow the same curve",
    "statistical": "can be statistically the same",
}


def forecast_folds(groups: Sequence[Group], measure: Measure) -> list[Block]:
    """Return the folds on what is launched or may be."""
    doing = [one for one in groups if one.first.action in ("launch", "hold", "wait")]
    # Seeds that are launched and seeds that are held take the same.
    once = {one.first.experiment: one for one in reversed(doing)}
    told = [one for one in doing if once[one.first.experiment] is one][: measure.rows]
    blocks = [_memory(told, measure), _arithmetic(told, measure), _what(doing, measure)]
    return [block for block in blocks if block]


def _memory(groups: Sequence[Group], measure: Measure) -> Folded | None:
    known = [(g, g.forecast.memory) for g in groups if g.forecast and g.forecast.memory]
    if not known:
        return None
    note = paragraph("An upper bound for the longest sequences, estimated and not measured.")
    if len(known) == 1:
        group, memory = known[0]
        table = _phases(memory)
        return Folded(f"Memory per GPU: {_fit(memory)}", (table, note, *_cure(group, measure)))
    tight = sum(memory.peak > memory.capacity for _, memory in known)
    many = f"{tight} of {plural(len(known), 'experiment')} may not fit" if tight else "all fit"
    rows = tuple(
        tuple((text,) for text in (measure.clip(group.first.experiment), _fit(memory)))
        for group, memory in known
    )
    cures = [block for group, _ in known for block in _cure(group, measure)]
    table = Table(("experiment", "at most"), rows)
    return Folded(f"Memory per GPU: {many}", (table, note, *cures))


def _fit(memory: Memory) -> str:
    verdict = "fits" if memory.peak <= memory.capacity else "may not fit"
    peak = f"at most {memory.peak:.0f} of {memory.capacity:.0f} GiB"
    return f"{verdict}, {peak}, in the {memory.phase} phase"


def _phases(memory: Memory) -> Table:
    rows = []
    for phase, terms in memory.phases.items():
        largest = sorted(terms.items(), key=lambda term: -term[1])
        parts = ", ".join(f"{name} {size:.1f}" for name, size in largest if size >= 0.05)
        total = Unbroken(f"{sum(terms.values()):.0f} of {memory.capacity:.0f}")
        rows.append(((phase,), (total,), (parts,)))
    return Table(("phase", "GiB", "of which"), tuple(rows))


def _cure(group: Group, measure: Measure) -> list[Block]:
    found = [one for one in group.first.findings if one.rule in _MEMORY_RULES]
    if not found:
        return []
    name = measure.clip(group.first.experiment)
    return [paragraph(Strong("Cure"), f" for {name}: ", *measure.spoken(found[0].cure))]


def _arithmetic(groups: Sequence[Group], measure: Measure) -> Folded | None:
    blocks: list[Block] = []
    for group in groups:
        lines = [*_forecast(group, measure), *_repeat(group, measure)]
        if not lines:
            continue
        if len(groups) > 1:
            blocks.append(paragraph(Strong(measure.clip(group.first.experiment))))
        blocks.append(Items(tuple(lines)))
    return Folded("Time, batches, storage, determinism", tuple(blocks)) if blocks else None


def _forecast(group: Group, measure: Measure) -> list[Line]:
    forecast: Forecast | None = group.forecast
    if forecast is None:
        return []
    first = group.first
    found = forecast_lines(forecast, first.gpu_hours, first.cost, first.launcher)
    parts = (line.partition(" ") for line in found)
    return [
        (Strong(kind), " ", *measure.spoken(told.strip()))
        for kind, _, told in parts
        if kind != "memory"
    ]


def _repeat(group: Group, measure: Measure) -> list[Line]:
    if group.resolved is None:
        return []
    best, why = best_verdict(group.resolved.run.spec)
    return [(Strong("repeats"), f" {_REPEATS[best]}. ", *measure.spoken(why))]


def _what(groups: Sequence[Group], measure: Measure) -> Folded | None:
    known = [group for group in groups[: measure.rows] if group.resolved]
    if not known:
        return None
    blocks = tuple(_exactly(group, measure) for group in known)
    return Folded("What will run", blocks)


def _exactly(group: Group, measure: Measure) -> Paragraph:
    """Return the command that shows what is run, with the trainer and what it runs in."""
    name = measure.clip(group.first.experiment)
    trainer = measure.clip(group.first.trainer or "")
    line: Line = (Code(f"runner render {name} --what command"), f" · {trainer}")
    environment = group.resolved.inputs.environment if group.resolved else "none"
    if environment != "none":
        line = (*line, " in ", Code(measure.clip(environment)))
    ids = [one.run_id for one in group.actions[: measure.rows] if one.run_id]
    return Paragraph((line, (f"{plural(len(ids), 'run')}: ", Code(" ".join(ids)))))
