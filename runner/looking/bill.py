"""What runs have cost: by experiment, by place, and this month against the policy.

What has ended counts with its recorded cost, what goes on with what its node has counted so far.
Runs on one's own machine (`launcher: local`) cost nothing, and are in no sum of money.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from runner import screen
from runner.errors import OutsideError
from runner.ledger.costs import by_place, cost_of
from runner.ledger.record import Attempt, RunRecord, now
from runner.ledger.snapshot import Snapshot
from runner.ledger.spending import hours_of, month_of, spent_so_far, total
from runner.planning.actions import Use
from runner.planning.asked import newest_snapshot
from runner.policy.ceilings import uses_before
from runner.report.outcome import short
from runner.storage.runfolder import AttemptFolder, open_run_store
from runner.workspace import Workspace


class Item(NamedTuple):
    """One attempt with what it has taken."""

    record: RunRecord
    attempt: Attempt
    gpu_hours: float
    usd: float | None
    """None where nobody knows, or where it is nothing."""
    is_estimate: bool = False
    """Whether it is its time at the price that was expected, for want of its place's."""


class Bill(NamedTuple):
    """What some runs have cost."""

    names: dict[str, tuple[str, ...]]
    """The experiments, each with its runs' ids; two may share a run."""
    items: tuple[Item, ...]
    month: str
    month_gpu_hours: float
    month_usd: float
    """Spent, or promised by what goes on."""
    uses: tuple[Use, ...]
    """The policy's ceilings of a month and at once."""


def bill(workspace: Workspace, name: str | None) -> Bill:
    """Return what all runs have cost, or those of one experiment, or one run.

    Raises Refused when the ledger knows no `name`.
    """
    snapshot = newest_snapshot(workspace)
    names = _names(snapshot, name)
    records = snapshot.records(dict.fromkeys(run for runs in names.values() for run in runs))
    items = tuple(_item(workspace, r, a) for r in records.values() for a in r.attempts)
    month = total(spent_so_far(snapshot, now()).values())
    uses = uses_before(snapshot, workspace.registry.policy, None)
    lasting = tuple(use for use in uses if not use.ceiling.endswith("_per_apply"))
    return Bill(names, items, month_of(now()), month.gpu_hours, month.usd, lasting)


def _names(snapshot: Snapshot, name: str | None) -> dict[str, tuple[str, ...]]:
    if name is None:
        entries = snapshot.experiments().values()
        return {
            entry.name: tuple(dict.fromkeys((*entry.history, *entry.runs))) for entry in entries
        }
    if entry := snapshot.experiment(name):
        return {name: tuple(dict.fromkeys((*entry.history, *entry.runs)))}
    record = snapshot.find(name)
    return {record.experiment: (record.run_id,)}


def _item(workspace: Workspace, record: RunRecord, attempt: Attempt) -> Item:
    if attempt.state == "ended":
        hours, usd = (attempt.gpus or 0) * hours_of(attempt), cost_of(attempt)
        return Item(record, attempt, hours, usd, bool(usd) and attempt.cost_usd is None)
    hours, usd = hours_of(attempt, now()), None
    try:
        beat = AttemptFolder(open_run_store(workspace, record.run_id), f"a{attempt.number}")
        usd = found.usd if (found := beat.heartbeat()) else None
    except OutsideError:
        pass  # the run store is away: what is known of it is told
    return Item(record, attempt, (attempt.gpus or 0) * hours, usd)


def sum_of(items: Iterable[Item]) -> float | None:
    """Return the cost of `items` together; None when of none of them it is known."""
    known = [item.usd for item in items if item.usd is not None]
    return round(sum(known), 2) if known else None


def document(found: Bill) -> dict[str, Any]:
    """Return the JSON of `cost --json`; dollars are null where nobody knows."""
    return {
        "experiments": [_entry(name, _of(found, runs)) for name, runs in found.names.items()],
        "attempts": [_attempt(item) for item in found.items],
        "places": [
            {"place": one.place, "hours": round(one.hours, 3), "usd": _cents(one.usd)}
            for one in by_place(item.attempt for item in found.items)
        ],
        "usd": sum_of(found.items),
        "month": {
            "month": found.month,
            "gpu_hours": round(found.month_gpu_hours, 3),
            "usd": _cents(found.month_usd),
        },
        "policy": {use.ceiling: {"used": use.used, "limit": use.limit} for use in found.uses},
    }


def _entry(name: str, items: Sequence[Item]) -> dict[str, Any]:
    return {
        "experiment": name,
        "runs": len({item.record.run_id for item in items}),
        "attempts": len(items),
        "going": sum(item.attempt.state != "ended" for item in items),
        "gpu_hours": round(sum(item.gpu_hours for item in items), 3),
        "usd": sum_of(items),
    }


def _attempt(item: Item) -> dict[str, Any]:
    attempt = item.attempt
    return {
        "run_id": item.record.run_id,
        "attempt": attempt.number,
        "state": attempt.state,
        "outcome": attempt.outcome,
        "gpu_hours": round(item.gpu_hours, 3),
        "usd": item.usd,
        "is_estimate": item.is_estimate,
        "expected_usd": attempt.usd,
        "stays": [stay.model_dump(mode="json") for stay in attempt.stays],
    }


def _cents(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 2)


def _of(found: Bill, runs: Iterable[str]) -> list[Item]:
    wanted = set(runs)
    return [item for item in found.items if item.record.run_id in wanted]


# For people


def show(found: Bill, *, by_attempt: bool) -> None:
    """Print the bill: an experiment or an attempt a row, then places, then the month."""
    if not found.items:
        screen.say("no runs yet; runner plan shows what apply would launch")
        return
    if by_attempt:
        _print(("RUN", "ATTEMPT", "GPU-H", "COST", "AT MOST", "WHERE", "STATE"), _attempts(found))
    else:
        _print(("EXPERIMENT", "RUNS", "GPU-H", "COST", ""), _experiments(found))
    places = by_place(item.attempt for item in found.items)
    if places:
        screen.print_result("")
        rows = [
            (one.place, f"{one.hours:,.1f}", _dollars(one.usd) or "not known") for one in places
        ]
        _print(("PLACE", "HOURS", "COST"), rows)
    if all(item.attempt.launcher == "local" for item in found.items):
        screen.say("all of them ran on this machine, which costs nothing")
    if any(item.is_estimate for item in found.items):
        screen.say("~ with time at the price that was expected: that of its place is not known")
    if not by_attempt and (line := _month(found)):
        screen.print_result(f"\n{line}")


def _print(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose columns of numbers are flush right; without columns that say nothing."""
    lines = [tuple(header), *map(tuple, rows)]
    columns = [column for column in zip(*lines, strict=True) if any(column[1:])]
    flush = [_flush(column) for column in columns]
    first, *rest = zip(*flush, strict=True)
    screen.print_table(first, rest)


def _flush(column: tuple[str, ...]) -> tuple[str, ...]:
    if column[0] not in ("RUNS", "GPU-H", "HOURS", "COST", "AT MOST", "ATTEMPT"):
        return column
    width = max(map(len, column))
    return tuple(cell.rjust(width) for cell in column)


def _experiments(found: Bill) -> list[tuple[str, ...]]:
    rows = [_row(name, _of(found, runs)) for name, runs in found.names.items()]
    whole = _row("total", found.items)
    return [*rows, whole] if len(rows) > 1 else rows


def _row(name: str, items: Sequence[Item]) -> tuple[str, ...]:
    going = any(item.attempt.state != "ended" for item in items)
    runs = len({item.record.run_id for item in items})
    hours = sum(item.gpu_hours for item in items)
    cost = _about(_dollars(sum_of(items)), is_estimate=any(item.is_estimate for item in items))
    return (name, str(runs), _hours(hours), cost, "so far" if going else "")


def _attempts(found: Bill) -> list[tuple[str, ...]]:
    return [
        (
            item.record.run_id,
            str(item.attempt.number),
            _hours(item.gpu_hours),
            _about(_dollars(item.usd), is_estimate=item.is_estimate),
            _dollars(item.attempt.usd) if item.attempt.launcher != "local" else "",
            ", ".join(dict.fromkeys(one.place for one in by_place([item.attempt]))),
            short(item.attempt),
        )
        for item in found.items
    ]


def _month(found: Bill) -> str:
    """Return what this month takes, with the policy's ceilings where it sets them."""
    limits = {use.ceiling: use for use in found.uses}
    usd, hours = limits.get("usd_per_month"), limits.get("gpu_hours_per_month")
    parts = []
    if found.month_usd or usd:
        of = f" of {_dollars(usd.limit)}" if usd else ""
        parts.append(f"{_dollars(found.month_usd)}{of}")
    if found.month_gpu_hours or hours:
        of = f" of {hours.limit:,.0f}" if hours else ""
        parts.append(f"{found.month_gpu_hours:,.1f}{of} GPU-h")
    told = f"{found.month}, spent or promised: {', '.join(parts)}" if parts else ""
    if at_once := limits.get("gpus_at_once"):
        now_taken = f"{at_once.used:,.0f} of {at_once.limit:,.0f} GPUs now"
        return f"{told}; {now_taken}" if told else now_taken
    return told


def _about(cost: str, *, is_estimate: bool) -> str:
    return f"~{cost}" if is_estimate and cost else cost


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours else ""


def _dollars(usd: float | None) -> str:
    return "" if usd is None else f"${usd:,.2f}"
