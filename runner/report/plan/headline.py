"""A plan in one line: the comment's headline, and the description of its status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.forecast.lines import text
from runner.forecast.span import Span
from runner.forges.base import DESCRIPTION_LIMIT
from runner.planning.actions import Action, Plan, Verb
from runner.report.notation import plural
from runner.report.plan.groups import reason, span

_NARROW = 1.5
"""Largest over smallest time from which on a middle would mislead."""

_ENOUGH = 10 * DESCRIPTION_LIMIT
"""Characters that are looked at: a reason may quote a value of any length."""


def headline(plan: Plan, owners: Sequence[str] = ()) -> str:
    """Return the plan in at most 140 characters of plain text; `owners` may lift its ceilings."""
    line = "; ".join(_parts(plan, owners)) or _nothing(plan)
    flat = " ".join("".join(c if c.isprintable() else " " for c in line[:_ENOUGH]).split())
    return flat if len(flat) <= DESCRIPTION_LIMIT else f"{flat[: DESCRIPTION_LIMIT - 1]}…"


def _parts(plan: Plan, owners: Sequence[str]) -> Iterator[str]:
    if refused := _those(plan, "refuse"):
        yield refused_line(refused, DESCRIPTION_LIMIT)
    if launched := _those(plan, "launch"):
        yield f"launches {plural(len(launched), 'run')}{launch_sums(launched)}"
    held = _those(plan, "hold")
    if over := [one for one in held if one.lifted_by == "owner"]:
        whom = ", ".join(owners) or "an owner"
        yield f"{len(over)} held for {whom}: {_ceiling(over[0])}"
    if rest := len(held) - len(over):
        yield f"{rest} held until launched by hand"
    words: dict[Verb, str] = {
        "wait": "waiting for another run",
        "stale": "stale",
    }
    for action, said in words.items():
        if number := plan.number_of(action):
            yield f"{number} {said}"
    yield from _left_over(_those(plan, "orphan"))
    yield from (note.partition(";")[0] for note in plan.notes[:1])


def _left_over(orphans: Sequence[Action]) -> Iterator[str]:
    """Yield what becomes of running ones whose spec is gone or means another run now."""
    cancelled = sum(one.reason.endswith("it is cancelled") for one in orphans)
    if cancelled:
        yield f"cancels {cancelled} running"
    if going_on := len(orphans) - cancelled:
        yield f"{going_on} running without a spec"


def refused_line(refused: Sequence[Action], limit: int) -> str:
    """Return what is wrong with the first refused experiment, and how many more there are."""
    message = refused[0].reason
    cut = f"{message[: limit - 1]}…" if len(message) > limit else message
    others = len({one.experiment for one in refused}) - 1
    return f"refused: {cut}" + (f" (and {plural(others, 'more experiment')})" if others else "")


def launch_sums(launched: Sequence[Action]) -> str:
    """Return what launched runs take together, as far as it is known."""
    known = [one for one in launched if one.gpu_hours]
    hours, money = span(one.gpu_hours for one in known), span(_money(one) for one in known)
    parts = [f"about ${text(money.low, money.high)}"] if money else []
    parts += [f"{text(hours.low, hours.high)} GPU-h"] if hours else []
    parts += [each] if (each := _each(known)) else []
    of_them = f" for {len(known)} of them" if len(known) < len(launched) else ""
    return f": {', '.join(parts)}{of_them}" if parts else ""


def _money(action: Action) -> Span | None:
    return Span(low=action.cost.low, high=action.cost.high) if action.cost else None


def _each(launched: Sequence[Action]) -> str:
    """Return how long one of the runs takes: about, or from the shortest to the longest."""
    spans = [one.forecast.hours for one in launched if one.forecast and one.forecast.hours]
    if not spans or len(spans) < len(launched):
        return ""
    each = " each" if len(launched) > 1 else ""
    low, high = min(one.low for one in spans), max(one.high for one in spans)
    if high <= _NARROW * low:
        return f"~{text((low + high) / 2, (low + high) / 2)} h{each}"
    return f"{text(low, high)} h{each}"


def _ceiling(action: Action) -> str:
    """Return what a held run is over, from its reason."""
    return reason(action).rpartition("; ")[2]


def _those(plan: Plan, verb: Verb) -> list[Action]:
    return [action for action in plan.actions if action.action == verb]


def _nothing(plan: Plan) -> str:
    kept = plan.number_of("keep")
    return f"nothing to do: {plural(kept, 'run')} as planned" if kept else "nothing to do"
