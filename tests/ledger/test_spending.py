"""What a month takes: promised at the claim, replaced by what it was when a run has ended."""

from __future__ import annotations

import pytest
from ledger_values import make_record, put

from runner.errors import Refused
from runner.ledger.branch import Ledger
from runner.ledger.draft import Draft
from runner.ledger.record import RunRecord, advance
from runner.ledger.spending import (
    Spent,
    Sum,
    launched_at,
    spent_by,
    spent_in,
    spent_so_far,
    total,
)

COMMIT = "c" * 40
PROMISE = {"gpus": 8, "gpu_hours": 16.0, "usd": 48.0, "claimed_at": "2026-01-31T23:59:59Z"}
"""Two hours on eight GPUs at $3."""
STARTED = {"started_at": "2026-02-01T10:00:00Z", "ended_at": "2026-02-01T10:30:00Z"}


def ended(record: RunRecord, outcome: str = "failed", **changes: object) -> RunRecord:
    latest = record.latest
    return record.with_latest(advance(latest, "ended", outcome=outcome, **changes))


def test_a_claim_counts_in_the_month_in_which_it_was_made(ledger: Ledger) -> None:
    one = make_record("one", **PROMISE)
    two = make_record("two", **{**PROMISE, "claimed_at": "2026-02-01T00:00:00Z"})
    snapshot = put(ledger, one, two)
    promised = Spent(commit=COMMIT, gpu_hours=16, usd=48)
    assert spent_in(snapshot, "2026-01") == {f"{one.run_id}/1": promised}
    assert spent_in(snapshot, "2026-02") == {f"{two.run_id}/1": promised}
    assert spent_in(snapshot, "2026-03") == {}
    assert total(launched_at(snapshot, COMMIT)) == Sum(2, 32, 96)
    assert launched_at(snapshot, "d" * 40) == []


def test_what_it_took_replaces_what_was_promised(ledger: Ledger) -> None:
    record = make_record("one", **PROMISE)
    put(ledger, record)
    # It ends in another month than the one that it counts in.
    snapshot = put(ledger, ended(record, **STARTED))
    assert snapshot.names("spending") == ["2026-01.json"]
    took = Spent(commit=COMMIT, gpu_hours=4, usd=12)
    assert spent_in(snapshot, "2026-01") == {f"{record.run_id}/1": took}


def test_a_claim_that_is_taken_up_in_the_next_month_counts_there_alone(ledger: Ledger) -> None:
    record = make_record("one", **PROMISE)
    put(ledger, record)
    later = record.latest.model_copy(update={"claimed_at": "2026-02-01T00:05:00Z"})
    snapshot = put(ledger, record.with_latest(later))
    assert spent_in(snapshot, "2026-01") == {}
    assert list(spent_in(snapshot, "2026-02")) == [f"{record.run_id}/1"]


def test_a_retry_counts_beside_what_the_first_attempt_took(ledger: Ledger) -> None:
    record = make_record("one", **PROMISE)
    put(ledger, record)
    put(ledger, ended(record, **STARTED))
    first = ended(record, **STARTED)
    again = record.latest.model_copy(update={"number": 2, "claimed_at": "2026-01-31T23:59:59Z"})
    snapshot = put(ledger, first.with_next(again))
    assert total(spent_in(snapshot, "2026-01").values()) == Sum(2, 20, 60)
    assert total(launched_at(snapshot, COMMIT)) == Sum(1, 4, 12)  # no launch of its commit


@pytest.mark.parametrize(
    ("changes", "hours", "usd"),
    [
        ({}, 0, 0),  # cancelled or lost before it started
        (STARTED, 4, 12),
        ({**STARTED, "cost_usd": 9.5}, 4, 9.5),
        ({"started_at": STARTED["ended_at"], "ended_at": STARTED["started_at"]}, 0, 0),
    ],
)
def test_what_an_ended_attempt_took(changes: dict[str, object], hours: float, usd: float) -> None:
    attempt = ended(make_record(**PROMISE), "cancelled", **changes).latest
    assert spent_by(attempt) == Spent(commit=COMMIT, gpu_hours=hours, usd=usd)


@pytest.mark.parametrize(
    ("moment", "hours", "usd"),
    [
        ("2026-01-31T11:59:00Z", 16, 48),  # within the promise
        ("2026-01-31T16:00:00Z", 48, 144),
    ],
)
def test_what_goes_on_for_longer_than_was_promised_counts_as_it_goes(
    ledger: Ledger, moment: str, hours: float, usd: float
) -> None:
    promise = {**PROMISE, "claimed_at": "2026-01-31T09:00:00Z"}
    running = {"state": "running", "started_at": "2026-01-31T10:00:00Z"}
    record = make_record("one", **promise, **running)
    snapshot = put(ledger, record, make_record("two", **promise))
    spent = spent_so_far(snapshot, moment)
    assert spent[f"{record.run_id}/1"] == Spent(commit=COMMIT, gpu_hours=hours, usd=usd)
    assert total(spent.values()) == Sum(2, hours + 16, usd + 48)
    ended_now = ended(record, ended_at="2026-01-31T10:30:00Z")
    assert total(spent_so_far(put(ledger, ended_now), moment).values()) == Sum(2, 20, 60)


@pytest.mark.parametrize(("price", "usd"), [(None, None), (5.0, 5.0)])
def test_of_what_was_not_known_the_hours_that_have_gone_by_count(
    ledger: Ledger, price: float | None, usd: float | None
) -> None:
    promise = {**PROMISE, "gpu_hours": None, "usd": price}
    running = {"state": "running", "started_at": "2026-01-31T23:59:59Z"}
    snapshot = put(ledger, make_record("one", **promise, **running))
    [spent] = spent_so_far(snapshot, "2026-01-31T23:59:59Z").values()
    assert (spent.gpu_hours, spent.usd) == (None, price)
    snapshot = put(ledger, make_record("two", **{**promise, "started_at": "2026-01-31T22:59:59Z"}))
    spent = spent_so_far(snapshot, "2026-01-31T23:59:59Z")[f"{make_record('two').run_id}/1"]
    assert (spent.gpu_hours, spent.usd) == (8, usd)


def test_without_a_price_the_hours_are_known_and_the_cost_is_not() -> None:
    attempt = ended(make_record(**{**PROMISE, "usd": None}), **STARTED).latest
    assert spent_by(attempt) == Spent(commit=COMMIT, gpu_hours=4, usd=None)
    attempt = ended(make_record(**{**PROMISE, "gpu_hours": None, "usd": None}), **STARTED).latest
    assert spent_by(attempt) == Spent(commit=COMMIT, gpu_hours=4, usd=None)


def test_records_of_runners_that_made_no_promises_are_passed_over(ledger: Ledger) -> None:
    assert put(ledger, make_record("one")).names("spending") == []


def test_a_file_that_cannot_be_read_is_refused(ledger: Ledger) -> None:
    broken = ledger.transact(
        lambda snapshot: Draft(snapshot).put("spending/2026-01.json", b'{"x": 1}').changes("Break")
    )
    with pytest.raises(Refused, match=r"spending/2026-01\.json of the ledger cannot be read"):
        spent_in(broken, "2026-01")
