"""Telling a forge of runs: from the ledger alone, once, and again after every fault."""

from __future__ import annotations

from typing import Any

import pytest
from planned_registry import SETTINGS, SPEC
from told_registry import (
    RecordingForge,
    end,
    ended,
    head,
    outbox,
    over_ceiling,
    tell,
    wait_a_little,
)

from runner.errors import OutsideError
from runner.forges.base import NotPermitted
from runner.forges.none import NoForge
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.outbox import OUTBOX, Outbox
from runner.report.publish import published_files
from runner.telling.cadence import FILE


def test_a_run_is_told_from_its_start_to_its_end(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z", step=4, steps=8)
    forge.requests = {head(registry): 7}
    assert tell(registry, forge, "one") == ()
    assert forge.at(head(registry)) == ("pending", "step 4/8")
    ((number, marker),) = forge.comments
    assert (number, marker) == (7, "<!-- rollbook:run:v1 one -->")
    assert "step 4/8" in forge.comments[number, marker]

    synced = end(registry, forge, run_id, metrics={"reward/mean": 1.3})
    assert synced.untold == ()
    assert forge.at(head(registry)) == ("success", "reward/mean 1.3")
    (status,) = {s.url for s in forge.written}
    assert status == "https://forge.example/runs/experiments/one/README.md"
    assert list(forge.comments) == [(7, "<!-- rollbook:run:v1 one -->")]
    assert "✅ reward/mean 1.3" in forge.comments[number, marker]
    assert outbox(registry) == Outbox()


def test_what_a_dead_process_did_not_tell_the_next_one_tells(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    workspace = registry.workspace

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        found = newest.records([run_id])[run_id]
        after = found.with_latest(ended(found.latest))
        draft.put_record(after)
        for path, content in published_files(workspace, newest, [after]).items():
            draft.put(path, content)
        return draft.changes("Ended, and the process died here")

    workspace.ledger.transact(step)
    assert [event.experiment for event in outbox(registry).forge] == ["one"]
    tell(registry, forge)
    assert forge.at(head(registry)) == ("success", "1 run succeeded")
    assert outbox(registry) == Outbox()
    before = registry.snapshot.commit
    tell(registry, forge)
    assert registry.snapshot.commit == before


@pytest.mark.parametrize("fault", [OutsideError("no answer"), NotPermitted("read-only")])
def test_a_fault_of_the_forge_loses_nothing(
    make_registry: Any, fault: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    forge.fault = fault
    synced = end(registry, forge, run_id)
    assert [one.latest.outcome for one in synced.changed] == ["succeeded"]
    assert synced.untold
    assert str(fault) in capsys.readouterr().err
    assert registry.snapshot.records([run_id])[run_id].latest.outcome == "succeeded"
    assert outbox(registry).forge

    forge.fault = None
    tell(registry, forge)
    assert forge.written == []  # not asked again in the same minute
    wait_a_little(registry)
    assert tell(registry, forge) == ()
    assert forge.at(head(registry))[0] == "success"
    assert outbox(registry) == Outbox()


def test_who_has_no_token_leaves_the_telling_to_others(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    assert end(registry, NoForge(), run_id).untold == ()
    assert outbox(registry).forge
    tell(registry, forge)
    assert forge.at(head(registry))[0] == "success"
    assert outbox(registry) == Outbox()


def test_progress_is_told_rarely_and_what_is_new_at_once(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z", step=1, steps=8)
    for step in range(1, 6):
        registry.advance(run_id, step=step)
        tell(registry, forge, "one")
    assert [status.description for status in forge.written] == ["step 1/8"]
    wait_a_little(registry)
    tell(registry, forge, "one")
    registry.advance(run_id, state="waiting", reason="pulling data", started_at=None)
    tell(registry, forge, "one")
    assert [status.description[:20] for status in forge.written] == [
        "step 1/8",
        "step 5/8",
        "waiting: pulling dat",
    ]


def test_what_was_told_when_may_be_lost(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    registry.run("running", started_at="2026-01-01T00:00:00Z", step=1, steps=8)
    for content in ("", "[]", '{"one": 3}', '{"one": ["key", 1e308, false]}'):
        registry.workspace.state.mkdir(exist_ok=True)
        (registry.workspace.state / FILE).write_text(content)
        assert tell(registry, forge, "one") == ()
    assert forge.at(head(registry)) == ("pending", "step 1/8")


def test_a_fault_is_said_once_a_minute_however_often_it_is_looked(
    make_registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    registry, forge = make_registry(), RecordingForge()
    tell(registry, forge, plan=over_ceiling(registry))
    registry.commit(one=SPEC.replace("steps: 2", "steps: 3"))
    forge.fault = OutsideError("no answer")
    tell(registry, forge, plan=over_ceiling(registry))
    said = capsys.readouterr().err.count("no answer")
    assert said == 2  # the experiment, and the last word on its former commit
    assert tell(registry, forge) == ()
    assert capsys.readouterr().err == ""
    assert outbox(registry).notes


def test_two_requests_merged_quickly_are_both_told(make_registry: Any) -> None:
    registry = make_registry()
    first = head(registry)
    second = registry.commit(two=SPEC.replace("steps: 2", "steps: 3"))
    forge = RecordingForge({first: 1, second: 2})
    for run_id in registry.run("running", started_at="2026-01-01T00:00:00Z"):
        end(registry, forge, run_id)
    assert {key for key in forge.shown if key[1] == "runner/one"} == {
        (first, "runner/one"),
        (second, "runner/one"),  # launched from there
    }
    assert forge.at(first)[0] == "success"
    assert set(forge.comments) == {
        (1, "<!-- rollbook:run:v1 one -->"),
        (2, "<!-- rollbook:run:v1 two -->"),
    }


def test_a_former_version_is_told_at_its_own_commit(make_registry: Any) -> None:
    registry, forge = make_registry(), RecordingForge()
    (old,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    first = head(registry)
    tell(registry, forge, "one")
    second = registry.commit(one=SPEC.replace("steps: 2", "steps: 3"))
    registry.run("running", started_at="2026-01-01T00:00:00Z")
    forge.requests = {first: 1, second: 2}
    end(registry, forge, old, outcome="cancelled")
    assert forge.at(first) == ("failure", "cancelled")
    assert forge.at(second) == ("pending", "step 0")
    marker = "<!-- rollbook:run:v1 one -->"
    assert "cancelled" in forge.comments[1, marker]
    assert "cancelled" not in forge.comments[2, marker]


def test_any_seed_that_failed_is_a_failure(make_registry: Any) -> None:
    registry, forge = make_registry(one=f"{SPEC}seeds: [1, 2]\n"), RecordingForge()
    first, second = registry.run("running", started_at="2026-01-01T00:00:00Z")
    end(registry, forge, first, outcome="failed", reason="failed at step 1: no disk")
    assert forge.at(head(registry)) == (
        "failure",
        "seed 1: failed at step 1: no disk; 1 run still going",
    )
    end(registry, forge, second)
    assert forge.at(head(registry)) == ("failure", "seed 1: failed at step 1: no disk")


def test_without_anybody_to_tell_the_ledger_keeps_no_outbox(make_registry: Any) -> None:
    registry, forge = make_registry(SETTINGS), RecordingForge()
    (run_id,) = registry.run("running", started_at="2026-01-01T00:00:00Z")
    end(registry, forge, run_id)
    assert forge.written == []
    assert registry.snapshot.read(OUTBOX) is None
