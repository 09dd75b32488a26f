"""Reading the ledger: records in batches, active runs, experiments, and what RUN means."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from ledger_values import make_attempt, make_record, put

from runner.errors import Refused
from runner.git.process import GitProcess
from runner.ledger.branch import Ledger, Snapshot
from runner.ledger.draft import Draft
from runner.ledger.entry import ExperimentEntry


def entry(name: str, *runs: str) -> ExperimentEntry:
    return ExperimentEntry(name=name, own_digest="d", runs=runs, commit="c" * 40)


def test_a_thousand_records_are_read_by_few_processes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [make_record(f"run {number}") for number in range(1000)]
    put(ledger, *records)
    calls: list[str] = []
    start = GitProcess.start

    def counted(self: GitProcess, *arguments: str, **options: object) -> object:
        calls.append(arguments[0])
        return start(self, *arguments, **options)  # type: ignore[arg-type]

    snapshot = ledger.snapshot()
    monkeypatch.setattr(GitProcess, "start", counted)
    began = time.monotonic()
    found = snapshot.records(record.run_id for record in records)
    assert list(found.values()) == records
    assert calls == ["ls-tree"]  # the process that reads objects is there
    assert time.monotonic() - began < 5
    assert snapshot.active() == {record.run_id: 1 for record in records}


def test_active_follows_the_records(ledger: Ledger) -> None:
    going, ended = make_record("going"), make_record("ended", state="ended", outcome="failed")
    assert put(ledger, going, ended).active() == {going.run_id: 1}
    again = ended.with_next(make_attempt(number=2))
    assert put(ledger, again).active() == {going.run_id: 1, ended.run_id: 2}
    over = make_record("going", state="ended")
    assert put(ledger, over).active() == {ended.run_id: 2}


def test_a_draft_sees_its_own_records(ledger: Ledger) -> None:
    draft = Draft(ledger.snapshot())
    record = make_record()
    assert draft.record(record.run_id) is None
    draft.put_record(record)
    assert draft.record(record.run_id) == record
    with pytest.raises(Refused):
        draft.put_record(make_record(nonce="another"))


def test_an_experiments_history_only_grows(ledger: Ledger) -> None:
    put(ledger, entry("gsm8k/grpo", "a" * 12, "b" * 12))
    snapshot = put(ledger, entry("gsm8k/grpo", "b" * 12, "c" * 12), entry("smoke/sft"))
    found = snapshot.experiment("gsm8k/grpo")
    assert found is not None
    assert found.runs == ("b" * 12, "c" * 12)
    assert found.history == ("a" * 12, "b" * 12, "c" * 12)
    assert list(snapshot.experiments()) == ["gsm8k/grpo", "smoke/sft"]
    assert snapshot.experiments()["gsm8k/grpo"] == found
    assert snapshot.experiment("gsm8k") is None


def test_nothing_is_in_an_empty_snapshot(ledger: Ledger) -> None:
    empty = Snapshot(ledger._repository, None)
    assert empty.records(["a" * 12]) == {}
    assert (empty.active(), empty.applied(), empty.experiments()) == ({}, None, {})
    with pytest.raises(Refused):
        empty.find("abcd")


@pytest.fixture
def found(ledger: Ledger) -> Callable[[str], str]:
    one, two = make_record("abcd00000000"), make_record("abcd11111111")
    new = make_record("ffff00000000", claimed_at="2026-02-01T00:00:00Z")
    snapshot = put(
        ledger, one, two, new, entry("smoke/grpo", new.run_id, one.run_id), entry("held", "e" * 12)
    )
    return lambda run: snapshot.find(run).run_id


@pytest.mark.parametrize(
    ("run", "run_id"),
    [
        ("abcd00000000", "abcd00000000"),
        ("abcd1", "abcd11111111"),
        ("ffff", "ffff00000000"),
        ("smoke/grpo", "ffff00000000"),
    ],
)
def test_what_a_run_argument_means(found: Callable[[str], str], run: str, run_id: str) -> None:
    assert found(run) == run_id


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("abcd", "abcd00000000, abcd11111111"),
        ("abc", "knows no run"),
        ("0000", "knows no run"),
        ("smoke/gpro", "did you mean smoke/grpo"),
        ("held", "not been launched"),
        ("../x", "knows no run"),
        ("a\nb", "knows no run"),
    ],
)
def test_what_no_run_argument_means(found: Callable[[str], str], run: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        found(run)
    assert caught.value.cure


def test_a_file_that_cannot_be_read_is_refused_by_name(ledger: Ledger) -> None:
    snapshot = ledger.transact(lambda s: Draft(s).put("active.json", b"{").changes())
    with pytest.raises(Refused, match=r"active\.json") as caught:
        snapshot.active()
    assert f"git show {snapshot.commit}:active.json" in str(caught.value.cure)
