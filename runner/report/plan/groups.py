"""The runs of a plan that differ only in seed or point, taken together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.forecast.document import Forecast
from runner.forecast.span import Span
from runner.planning.actions import Action, Launchable, Plan, Verb
from runner.report.notation import plural
from runner.report.wording import changed_fields, value
from runner.spec.resolve import ResolvedRun

ORDER: tuple[Verb, ...] = ("launch", "hold", "wait", "orphan", "stale", "keep")


class Group(NamedTuple):
    """Runs of one experiment with one fate for one reason."""

    actions: tuple[Action, ...]
    resolved: ResolvedRun | None
    """The first of them, where its spec is known."""

    @property
    def first(self) -> Action:
        """One of them, for what they share."""
        return self.actions[0]

    @property
    def forecast(self) -> Forecast | None:
        """What one run takes; with a matrix that of the first point."""
        return self.first.forecast

    @property
    def hours(self) -> Span | None:
        """Wall-clock time of a run, from the shortest to the longest."""
        known = [one.forecast.hours for one in self.actions if one.forecast and one.forecast.hours]
        if not known or len(known) < len(self.actions):
            return None
        return Span(low=min(one.low for one in known), high=max(one.high for one in known))

    @property
    def runs(self) -> str:
        """How many there are, or which one: `3 seeds`, `2 points x 3 seeds`, `seed 2`."""
        if self.first.seed is None:
            return ""
        if len(self.actions) == 1:
            point = (f"{k.rpartition('.')[2]} {value(v)}" for k, v in self.first.point.items())
            return ", ".join([*point, f"seed {self.first.seed}"])
        seeds = {one.seed for one in self.actions}
        points = {str(sorted(one.point.items())) for one in self.actions}
        if len(points) > 1:
            return f"{plural(len(points), 'point')} x {plural(len(seeds), 'seed')}"
        return plural(len(seeds), "seed")


def groups(plan: Plan, runs: Sequence[Launchable] = ()) -> tuple[Group, ...]:
    """Return the runs of `plan` in groups, launches first, orphans below their successors."""
    resolved = {run.resolved.run_id: run.resolved for run in reversed(runs)}
    found: dict[tuple[str, ...], list[Action]] = {}
    for action in plan.actions:
        why = reason(action) if action.action != "keep" else ""
        key = (action.action, action.experiment, action.lifted_by or "", why)
        found.setdefault(key, []).append(action)
    together = [
        Group(tuple(actions), resolved.get(actions[0].run_id or ""))
        for actions in found.values()
        if actions[0].action != "refuse"
    ]
    rank: dict[str, int] = {}
    for group in together:
        name = group.first.experiment
        rank[name] = min(_rank(group), rank.get(name, len(ORDER)))
    return tuple(sorted(together, key=lambda one: _place(one, rank)))


def _rank(group: Group) -> int:
    return ORDER.index(group.first.action)


def _place(group: Group, rank: dict[str, int]) -> tuple[int, str, int]:
    """Sort by fate, and an orphan below what takes its place."""
    name, own = group.first.experiment, _rank(group)
    replaced = group.first.action == "orphan" and rank[name] < own
    return (rank[name] if replaced else own, name, own)


def reason(action: Action) -> str:
    """Return why, without the commands, which have a place of their own."""
    if action.action == "stale":
        return changed_fields(action.changes, limit=1) or "its inputs"
    text = action.reason.partition(", lifted by ")[0]
    if action.lifted_by == "owner":
        text = text.rpartition("; ")[0]  # who lifts it
    if action.action == "orphan":
        text = text.partition("; runner cancel ")[0]
    again = any(change.bears_identity for change in action.changes)
    return f"{text} (run again)" if again and action.action == "launch" else text


def span(spans: Iterable[Span | None]) -> Span | None:
    """Return the sum; None unless all are known."""
    low = high = 0.0
    known = False
    for one in spans:
        if one is None:
            return None
        low, high, known = low + one.low, high + one.high, True
    return Span(low=low, high=high) if known else None
