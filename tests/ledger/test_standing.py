"""Where runs stand, in short: it follows from the records, whatever was there before."""

from __future__ import annotations

import pytest
from ledger_values import make_attempt, make_record, put

from runner.ledger.branch import Ledger, Snapshot
from runner.ledger.draft import Changes, told_of
from runner.ledger.record import advance
from runner.ledger.standing import Standing, standing_path


def write(ledger: Ledger, path: str, content: bytes | None) -> Snapshot:
    return ledger.transact(lambda snapshot: Changes({path: content}, "Write"))


def test_it_is_written_with_the_records_and_read_without_them(ledger: Ledger) -> None:
    records = [make_record(f"run {number}") for number in range(300)]
    snapshot = put(ledger, *records)
    assert {run_id: one.state for run_id, one in snapshot.standings.items()} == {
        record.run_id: record.latest.state for record in records
    }
    one = records[7]
    ended = advance(one.latest, "ended", outcome="failed", ended_at="2026-01-02T03:04:05Z")
    snapshot = put(ledger, one.with_latest(ended))
    assert snapshot.standings[one.run_id] == Standing(
        one.experiment, "ended", "failed", "2026-01-02T03:04:05Z"
    )
    assert len(snapshot.standings) == 300


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b'{"a": {"b": 1}}'])
def test_what_is_missing_or_damaged_is_made_again_from_the_records(
    ledger: Ledger, content: bytes | None
) -> None:
    records = [make_record(f"run {number}") for number in range(600)]
    first = records[0].run_id[:2]
    beside = [record for record in records if record.run_id.startswith(first)]
    assert len(beside) > 1
    put(ledger, *records)
    damaged = write(ledger, standing_path(first), content)
    assert not any(run_id.startswith(first) for run_id in damaged.standings)
    again = beside[0].with_latest(make_attempt(state="submitted", nonce=beside[0].latest.nonce))
    mended = put(ledger, again)
    assert len(mended.standings) == 600
    assert mended.standings[again.run_id].state == "submitted"


def test_a_commits_message_names_a_few_runs_and_counts_the_others() -> None:
    assert told_of([]) == ""
    assert told_of(["a", "b"]) == "a, b"
    assert told_of("abcdefg") == "a, b, c, d, e and 2 more"
