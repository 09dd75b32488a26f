"""The table of a plan: what happens to each experiment, why, and what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.forecast.lines import text
from runner.forecast.span import Span
from runner.planning.actions import Verb
from runner.report.notation import plural
from runner.report.page import Address, Block, Folded, Line, Table, Unbroken, compact_table
from runner.report.plan.about import About
from runner.report.plan.groups import Group, reason, span
from runner.report.plan.measure import Measure
from runner.spec.load import path_of
from runner.spec.resources import Resources

HEADER = ("", "experiment", "why", "runs", "steps", "GPUs", "hours", "cost (USD)")
_ICONS: dict[Verb, str] = {
    "launch": "🚀 launch",
    "hold": "✋ hold",
    "wait": "⏳ wait",
    "orphan": "⚠️ orphan",
    "stale": "💤 stale",
    "keep": "✔️ keep",
}
LONGEST_NAME = 200
"""Characters of an experiment's name: see `runner/spec/load.py`."""

_CAUSES = 3
"""Causes of staleness with a row each."""

Row = tuple[Line, ...]


def plan_table(groups: Sequence[Group], about: About, measure: Measure) -> list[Block]:
    """Return the table; rows beyond what is seen at once are folded below it."""
    rows = [_row(group, about, measure) for group in groups[: measure.rows] if _is_telling(group)]
    summed = [*_stale(groups, about, measure), *_kept(groups, about, measure)]
    seen = max(1, measure.unfolded - len(summed))
    if not rows and not summed:
        return []
    blocks: list[Block] = [_table([*rows[:seen], *summed])]
    if hidden := rows[seen:]:
        blocks.append(Folded(plural(len(hidden), "more row"), (_table(hidden),)))
    left = sum(_is_telling(group) for group in groups[measure.rows :])
    if left:
        blocks.append(Folded(f"{left:,} more in the artifact", ()))
    return blocks


def _table(rows: Sequence[Row]) -> Table:
    return compact_table(HEADER, tuple(rows))


def _is_telling(group: Group) -> bool:
    """Whether a group has a row of its own: stale and kept runs are summed up."""
    return group.first.action not in ("stale", "keep")


def _row(group: Group, about: About, measure: Measure) -> Row:
    action, spec = group.first, group.resolved.run.spec if group.resolved else None
    forecast = group.forecast
    steps = f"{forecast.steps:,}" if forecast and forecast.steps is not None else ""
    return (
        (Unbroken(_ICONS[action.action]),),
        (_experiment(action.experiment, about, measure),),
        measure.spoken(_why(group)),
        (Unbroken(measure.clip(group.runs)),) if group.runs else (),
        (steps,),
        (gpus(spec.resources) if spec else "",),
        _between(group.hours),
        _between(_cost(group)),
    )


def _experiment(name: str, about: About, measure: Measure) -> Address:
    is_name = len(name) <= LONGEST_NAME  # no spec can have a longer one: nothing to lead to
    return Address(measure.clip(name), about.link(path_of(name), None) if is_name else "")


def gpus(resources: Resources) -> str:
    """Return the GPUs of one run: `8×H100`, `2 nodes of 8×H100`, `CPU`."""
    if resources.accelerators is None:
        return "CPU"
    kind, _, number = resources.accelerators.partition(":")
    one = f"{number}×{kind}"
    return one if resources.nodes == 1 else f"{resources.nodes} nodes of {one}"


def _why(group: Group) -> str:
    """Return the reason; what an obsolete run has spent holds for each of several."""
    is_each = group.first.action == "orphan" and len(group.actions) > 1
    return f"{reason(group.first)} (each)" if is_each else reason(group.first)


def _between(known: Span | None) -> Line:
    return (Unbroken(text(known.low, known.high)),) if known else ()


def _cost(group: Group) -> Span | None:
    costs = (one.cost for one in group.actions)
    return span(Span(low=one.low, high=one.high) if one else None for one in costs)


def _stale(groups: Sequence[Group], about: About, measure: Measure) -> Iterator[Row]:
    """Yield a row per cause of staleness."""
    causes: dict[str, list[Group]] = {}
    for group in groups:
        if group.first.action == "stale":
            causes.setdefault(reason(group.first), []).append(group)
    for cause, stale in list(causes.items())[:_CAUSES]:
        yield _summed("stale", stale, f"{measure.clip(cause)}; own file unchanged", about, measure)
    if len(causes) > _CAUSES:
        rest = [group for stale in list(causes.values())[_CAUSES:] for group in stale]
        yield _summed("stale", rest, "other inputs", about, measure)


def _kept(groups: Sequence[Group], about: About, measure: Measure) -> Iterator[Row]:
    """Yield a row of what stays as it is, and one of what does so although it ended badly."""
    kept = [group for group in groups if group.first.action == "keep"]
    bad = [group for group in kept if any("; runner retry" in one.reason for one in group.actions)]
    fine = [group for group in kept if group not in bad] if bad else kept
    if bad:
        told = measure.clip(bad[0].first.reason.partition("; runner retry")[0])
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        yield _summed("keep", bad, f"{told}{more}: not tried again by itself", about, measure)
    if fine:
        yield _summed("keep", fine, "as they are", about, measure)


def _summed(verb: Verb, groups: Sequence[Group], why: str, about: About, measure: Measure) -> Row:
    """Return one row for several experiments, of which the first is named."""
    names = list(dict.fromkeys(group.first.experiment for group in groups))
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    runs = sum(len(group.actions) for group in groups)
    count = "0" if verb == "stale" else plural(runs, "run")
    who = (_experiment(names[0], about, measure), more)
    return ((Unbroken(_ICONS[verb]),), who, (why,), (Unbroken(count),), (), (), (), ())
