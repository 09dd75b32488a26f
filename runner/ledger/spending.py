"""What runs were expected to take when they were claimed, and what they took: one file per month.

`spending/2026-11.json` holds every attempt that was claimed in that month (UTC), so that the sum of
a month costs one file and not every record. It follows from the records: see `Draft.put_record`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from pydantic import ConfigDict, TypeAdapter

from runner.ledger.record import Attempt, RunRecord, ledger_json
from runner.ledger.snapshot import Snapshot
from runner.spec.section import Section

FOLDER = "spending"
HOUR = 3600.0
FIRST_ATTEMPT = "/1"
"""How the key of a launch ends; other attempts are retries."""


class Spent(Section):
    """What one attempt takes: as expected, high end, until it ends; then as it was."""

    commit: str
    """The commit that it was launched of."""
    gpu_hours: float | None
    usd: float | None
    """US dollars if the GPUs are rented; None where nobody knows."""


class Sum(NamedTuple):
    """What several attempts take together; what is not known of one counts as nothing."""

    launches: int
    gpu_hours: float
    usd: float


_MONTH = TypeAdapter(dict[str, Spent], config=ConfigDict(defer_build=True))


def spending_path(month: str) -> str:
    """Return where the attempts claimed in `month` (`2026-11`) are on the ledger branch."""
    return f"{FOLDER}/{month}.json"


def month_of(moment: str) -> str:
    """Return the calendar month of a time as the ledger writes it."""
    return moment[: len("2026-11")]


def spent_in(snapshot: Snapshot, month: str) -> dict[str, Spent]:
    """Return what each attempt claimed in `month` takes, by `<run id>/<number>`."""
    path = spending_path(month)
    return snapshot.parsed(path, snapshot.read(path) or b"{}", _MONTH.validate_json)


def launched_at(snapshot: Snapshot, commit: str) -> list[Spent]:
    """Return what was launched of `commit` at whatever time, without retries."""
    return [
        spent
        for name in snapshot.names(FOLDER)
        for key, spent in spent_in(snapshot, name.removesuffix(".json")).items()
        if spent.commit == commit and key.endswith(FIRST_ATTEMPT)
    ]


def total(spent: Iterable[Spent]) -> Sum:
    """Return the sum of `spent`."""
    known = list(spent)
    hours, usd = (one.gpu_hours or 0.0 for one in known), (one.usd or 0.0 for one in known)
    return Sum(len(known), sum(hours), sum(usd))


def spending_files(snapshot: Snapshot, records: Iterable[RunRecord]) -> dict[str, bytes]:
    """Return the months' files with the attempts of `records` as they are now."""
    months: dict[str, dict[str, Spent]] = {}

    def entries_of(attempt: Attempt) -> dict[str, Spent]:
        month = month_of(attempt.claimed_at)
        if month not in months:
            months[month] = spent_in(snapshot, month)
        return months[month]

    for record in records:
        former = snapshot.record(record.run_id)
        for before in former.attempts if former else ():
            if before.gpus is not None:  # taken up again, it counts in the month of that alone
                entries_of(before).pop(f"{record.run_id}/{before.number}", None)
        for attempt in record.attempts:
            if attempt.gpus is not None:  # else claimed by a runner that made no promises
                entries_of(attempt)[f"{record.run_id}/{attempt.number}"] = spent_by(attempt)
    return {spending_path(month): _json(entries) for month, entries in months.items()}


def spent_so_far(snapshot: Snapshot, moment: str) -> dict[str, Spent]:
    """Return `spent_in` of the month of `moment`, with what goes on longer than was promised."""
    month = month_of(moment)
    spent = spent_in(snapshot, month)
    for record in snapshot.records(snapshot.active()).values():
        key = f"{record.run_id}/{record.latest.number}"
        if key in spent:
            spent[key] = _at_least(spent[key], record.latest, moment)
    return spent


def _at_least(promised: Spent, attempt: Attempt, moment: str) -> Spent:
    """Return what was promised of an attempt that goes on, or what it has taken by now if more."""
    hours = (attempt.gpus or 0) * hours_of(attempt, moment)
    if hours <= (promised.gpu_hours or 0.0):
        return promised
    usd = _cost(attempt, promised, hours)
    more = {"gpu_hours": round(hours, 3), "usd": promised.usd if usd is None else usd}
    return promised.model_copy(update=more)


def spent_by(attempt: Attempt) -> Spent:
    """Return what an attempt takes, by its promise until it has ended.

    Then it is the time that its node programs went on, on its GPUs, where they could tell, else
    that from its start to its end; and its cost where that is known, else that time at the price
    that was expected. One that never started took nothing.
    """
    expected = Spent(commit=attempt.commit, gpu_hours=attempt.gpu_hours, usd=attempt.usd)
    if attempt.state != "ended" or attempt.gpus is None:
        return expected
    hours = attempt.gpus * hours_of(attempt)
    return expected.model_copy(
        update={"gpu_hours": round(hours, 3), "usd": _cost(attempt, expected, hours)}
    )


def _cost(attempt: Attempt, expected: Spent, hours: float) -> float | None:
    if attempt.cost_usd is not None:
        return attempt.cost_usd
    if not hours:
        return 0.0
    if expected.usd is None or not expected.gpu_hours:
        return None
    return round(expected.usd * hours / expected.gpu_hours, 2)


def hours_of(attempt: Attempt, until: str | None = None) -> float:
    """Return the hours that an attempt had its machines, by its end or `until` while it goes on.

    Waiting for others counts nowhere.
    """
    until = attempt.ended_at or until
    if attempt.stays and attempt.state in ("waiting", "ended"):
        return sum(stay.seconds for stay in attempt.stays) / HOUR
    if attempt.started_at is None or until is None:
        return 0.0
    took = datetime.fromisoformat(until) - datetime.fromisoformat(attempt.started_at)
    return max(0.0, took.total_seconds() / HOUR)


def _json(entries: dict[str, Spent]) -> bytes:
    return ledger_json({key: spent.model_dump(mode="json") for key, spent in entries.items()})
