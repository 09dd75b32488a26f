"""Following runs: each word of a launcher, with and without one of the node, becomes a state."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository
from scripted_launcher import ENDPOINT, ScriptedLauncher

from runner.errors import OutsideError
from runner.following.observation import name_of
from runner.forges.none import NoForge
from runner.launchers import LAUNCHERS
from runner.launchers.base import JobStatus
from runner.launching.follow import sync_here
from runner.ledger.record import Attempt
from runner.node import restarts
from runner.node.channel import HEARTBEAT, RESULT
from runner.node.task import Result
from runner.node.whereabouts import WHERE
from runner.storage.runfolder import LAUNCHER_LOG, open_run_store
from runner.storage.store import RunStore
from runner.sync import sync

SINCE = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
"""Not yet long enough for the next candidate."""
SAVING = SPEC.replace("learning_rate", "save_every: 1, learning_rate")
CANDIDATES = f"""{SAVING}\
resources:
  accelerators: 'H100:8'
  candidates: [{{infra: k8s/pool}}, {{infra: gcp, spot: true}}]
"""
LAUNCHED: dict[str, Any] = {"launcher": "skypilot", "endpoint": ENDPOINT, "claimed_at": SINCE}


class Followed:
    """A registry with one run that was submitted, and its launcher."""

    def __init__(self, folder: Path, spec: str = CANDIDATES, **attempt: Any) -> None:
        self.registry = PlannedRegistry.with_files(folder, {"experiments/a.yaml": spec})
        self.launcher = ScriptedLauncher()
        values = {"job": "job-1", **LAUNCHED, **attempt}
        [self.run_id] = self.registry.run(values.pop("state", "submitted"), **values)

    @property
    def store(self) -> RunStore:
        return open_run_store(self.registry.workspace, self.run_id)

    @property
    def attempt(self) -> Attempt:
        return self.registry.snapshot.find(self.run_id).latest

    def sync(self, *status: Any, **more: Any) -> Attempt:
        """Sync while the launcher says `status` of the job; return the newest attempt."""
        self.launcher.statuses["job-1"] = JobStatus(*status, **more)
        sync(self.registry.workspace, self.launcher, NoForge())
        return self.attempt

    def beat(
        self, phase: str, step: int = 0, epoch: int = 1, time: str = "2026-01-01T01:00:00.000Z"
    ) -> None:
        beat = {"time": time, "phase": phase, "step": step, "steps": 8, "seconds": 60.0}
        name = f"a1/epoch-{epoch}/{HEARTBEAT}"
        self.store.put(name, json.dumps(beat).encode())
        heard = datetime.fromisoformat(time).timestamp()
        os.utime(self.store.url(name), (heard, heard))
        where = {"where": "gcp/us-central1", "spot": True, "started_at": time}
        if epoch > 1:
            where |= {"first_step": 4, "lost_steps": 3}
        self.store.put(f"a1/epoch-{epoch}/{WHERE}", json.dumps(where).encode())

    def result(self, result: Result, epoch: int = 1) -> None:
        self.store.put(f"a1/epoch-{epoch}/{RESULT}", result.model_dump_json().encode())


@pytest.fixture
def followed(make_repository: MakeRepository) -> Followed:
    return Followed(make_repository())


def test_one_that_waits_says_for_what_where_and_since_when(followed):
    detail = "waiting for H100:8 on k8s/pool: no node is free"
    attempt = followed.sync("waiting", detail, where="k8s/pool", since=SINCE)
    assert (attempt.state, attempt.where, attempt.waiting_since) == ("waiting", "k8s/pool", SINCE)
    assert attempt.reason == "for H100:8 on k8s/pool: no node is free"

    before = followed.registry.snapshot.commit
    for detail, where in (
        ("waiting for H100:8 on k8s/pool: two nodes are free", "k8s/pool"),
        ("waiting for H100:8: Job is in backoff", ""),
        ("waiting for H100:8 on gcp/us-east1: no quota", "gcp/us-east1"),
    ):
        followed.sync("waiting", detail, where=where, since=SINCE)
    assert followed.registry.snapshot.commit == before


def test_a_wait_whose_begin_the_launcher_does_not_know_begins_when_it_was_first_seen(followed):
    first = followed.sync("waiting", "waiting for H100:8")
    assert first.reason == "for H100:8 on k8s/pool"
    assert first.waiting_since is not None
    followed.registry.advance(followed.run_id, waiting_since=SINCE)
    assert followed.sync("waiting", "waiting for H100:8").waiting_since == SINCE


def test_in_the_queue_of_its_launcher_it_waits_for_no_capacity_yet(followed):
    queued = {"is_queued": True, "since": SINCE}
    attempt = followed.sync("waiting", "waiting in SkyPilot's own queue: others launch", **queued)
    assert (attempt.state, attempt.waiting_since) == ("waiting", None)
    assert attempt.reason == "in SkyPilot's own queue: others launch"
    attempt = followed.sync("waiting", "waiting for H100:8", since=SINCE)
    assert (attempt.reason, attempt.waiting_since) == ("for H100:8 on k8s/pool", SINCE)


def test_one_whose_node_has_not_spoken_yet_stays_as_it_is(followed):
    assert followed.sync("running").state == "submitted"
    followed.beat("preparing")
    attempt = followed.sync("running", where="k8s/pool")
    assert (attempt.state, attempt.reason, attempt.where) == ("waiting", "preparing", "k8s/pool")


def test_one_that_is_preempted_recovers(followed):
    followed.beat("training", 5)
    attempt = followed.sync("running", where="gcp/us-central1")
    assert (attempt.state, attempt.step, attempt.where) == ("running", 5, "gcp/us-central1")
    assert [stay.where for stay in attempt.stays] == ["gcp/us-central1"]
    started = attempt.started_at

    attempt = followed.sync("waiting", "its machines are gone; waiting again for H100:8")
    assert (attempt.state, attempt.reason) == ("waiting", "recovering after a preemption at step 5")
    assert attempt.waiting_since is not None
    # The former start's heartbeat is no sign of life of the next one.
    assert followed.sync("running").state == "waiting"

    followed.beat("training", 6, epoch=2, time="2126-01-01T00:00:00.000Z")
    attempt = followed.sync("running", recoveries=1)
    assert (attempt.state, attempt.step, attempt.lost_steps) == ("running", 6, 3)
    assert (attempt.waiting_since, attempt.started_at) == (None, started)
    assert (attempt.recoveries, attempt.stays[1].first_step) == (1, 4)

    attempt = followed.sync("waiting", "its machines are gone; waiting again for H100:8")
    assert attempt.reason == "recovering after a preemption at step 6, 2nd time"


def test_one_that_failed_and_is_started_again_says_so(followed):
    followed.beat(restarts.FAILED, 3)
    attempt = followed.sync("waiting", "waiting again for H100:8")
    assert attempt.reason == "starting again after it failed at step 3"


@pytest.mark.parametrize(
    ("status", "beat", "outcome", "reason"),
    [
        (
            JobStatus("ended", "cancelled in SkyPilot", outcome="cancelled"),
            ("training", 5),
            "cancelled",
            "cancelled in SkyPilot",
        ),
        (
            JobStatus("ended", "its setup failed: no disk", outcome="failed"),
            None,
            "lost",
            "its setup failed: no disk",
        ),
        (
            JobStatus("ended", "its program failed", outcome="failed"),
            ("training", 5),
            "lost",
            "its process is gone without a word at step 5 of 8: killed, or the machine was; "
            "its program failed",
        ),
        (
            JobStatus("ended", "no capacity anywhere", outcome="failed"),
            (restarts.INTERRUPTED, 5),
            "lost",
            "interrupted at step 5 of 8, and not started again; no capacity anywhere",
        ),
        (
            JobStatus("ended"),
            None,
            "lost",
            "its process is gone without a word at step 0: killed, or the machine was",
        ),
    ],
)
def test_an_end_that_no_node_has_told_of(followed, status, beat, outcome, reason):
    if beat:
        followed.beat(*beat)
    followed.launcher.printed = ("provisioning", "setup: no disk")
    attempt = followed.sync(*status)
    assert (attempt.state, attempt.outcome, attempt.reason) == ("ended", outcome, reason)
    assert bool(attempt.cure) == (outcome == "lost")
    assert followed.store.get(f"a1/{LAUNCHER_LOG}") == b"provisioning\nsetup: no disk\n"


def test_no_capacity_at_the_last_candidate_ends_it(make_repository):
    followed = Followed(make_repository(), candidates=2)
    attempt = followed.sync("ended", "no machine like that", outcome="no_capacity")
    assert (attempt.outcome, attempt.number) == ("lost", 1)
    assert "resources.candidates" in attempt.cure


def test_the_nodes_word_counts_more_than_the_launchers(followed):
    followed.beat("ended", 2)
    followed.result(Result(exit_code=5, error="cancelled before it trained", cancelled=True))
    followed.launcher.printed = ("anything",)
    attempt = followed.sync("ended", "its program failed", outcome="failed")
    assert (attempt.outcome, attempt.reason) == ("cancelled", "cancelled before it trained")
    assert followed.store.get(f"a1/{LAUNCHER_LOG}") is None


def test_a_log_that_cannot_be_had_keeps_no_end_from_being_told(followed):
    def fail(job: str, *, follow: bool) -> Any:
        raise OutsideError("the server does not answer")

    followed.launcher.logs = fail
    assert followed.sync("ended", "its setup failed", outcome="failed").outcome == "lost"


def test_of_two_jobs_of_one_name_the_one_that_lives_counts(followed):
    """A submission that was sent twice: the lease has stopped the one on record."""
    run = followed.registry.snapshot.find(followed.run_id)
    twin = f"job-{name_of(run)}"
    followed.launcher.statuses[twin] = JobStatus("running")
    followed.beat("training", 3)
    attempt = followed.sync("ended", "its program failed", outcome="failed")
    assert (attempt.state, attempt.job, attempt.step) == ("running", twin, 3)

    followed.launcher.statuses[twin] = JobStatus("ended", outcome="failed")
    attempt = followed.sync("ended", "its program failed", outcome="failed")
    assert (attempt.state, attempt.outcome) == ("ended", "lost")


def _unrecorded(folder: Path) -> tuple[Followed, str]:
    """Return a claim whose runner died between its submission and the ledger, and its job."""
    followed = Followed(folder, state="claimed", job=None)
    job = f"job-{name_of(followed.registry.snapshot.find(followed.run_id))}"
    return followed, job


def test_a_job_that_was_submitted_and_not_recorded_is_recorded_and_followed(make_repository):
    followed, job = _unrecorded(make_repository())
    assert followed.sync("unknown").state == "claimed"
    followed.launcher.statuses[job] = JobStatus("waiting", "waiting for H100:8", since=SINCE)
    attempt = followed.sync("unknown")
    assert (attempt.state, attempt.job, attempt.waiting_since) == ("waiting", job, SINCE)
    followed.launcher.calls.clear()
    followed.sync("unknown")
    assert followed.launcher.calls == ["poll 1"]


def test_one_that_was_not_recorded_moves_on_when_it_has_waited_long_enough(make_repository):
    followed, job = _unrecorded(make_repository())
    since = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    followed.launcher.statuses[job] = JobStatus("waiting", "waiting for H100:8", since=since)
    followed.sync("unknown")
    first, second = followed.registry.snapshot.find(followed.run_id).attempts
    assert (first.state, first.job, first.outcome) == ("ended", job, "cancelled")
    assert (second.state, second.job, second.candidates) == ("claimed", None, 2)


def test_a_job_is_not_recorded_with_a_claim_that_has_ended_meanwhile(make_repository):
    followed, job = _unrecorded(make_repository())
    followed.launcher.statuses[job] = JobStatus("running")
    find = followed.launcher.find

    def slow(names: Any, *, wait: bool) -> Any:
        ended = {"outcome": "cancelled", "ended_at": SINCE}
        followed.registry.advance(followed.run_id, state="ended", **ended)
        return find(names, wait=wait)

    followed.launcher.find = slow
    attempt = followed.sync("unknown")
    assert (attempt.outcome, attempt.job) == ("cancelled", None)


def test_while_it_cannot_be_told_whether_there_is_another_nothing_is_lost(followed):
    def fail(names: Any, *, wait: bool) -> Any:
        raise OutsideError("the server does not answer")

    followed.launcher.find = fail
    assert followed.sync("ended", "its program failed", outcome="failed").state == "submitted"


def test_a_server_that_is_away_changes_nothing(followed):
    followed.sync("waiting", "waiting for H100:8", since=SINCE)
    before = followed.registry.snapshot.commit
    followed.launcher.is_away = True
    followed.sync("waiting")
    assert followed.registry.snapshot.commit == before


@pytest.mark.parametrize("endpoint", ["scripted:elsewhere", "other"])
def test_elsewhere_the_stores_word_is_enough(make_repository, endpoint):
    followed = Followed(make_repository(), endpoint=endpoint)
    followed.beat("training", 1)
    assert followed.sync("ended", outcome="failed").state == "running"
    followed.result(Result(exit_code=3, error="no disk"))
    attempt = followed.sync("ended", outcome="failed")
    assert (attempt.outcome, attempt.reason) == ("lost", "no disk")
    assert followed.launcher.calls == []


def test_all_runs_are_asked_of_at_once(make_repository):
    spec = CANDIDATES + "seeds: [1, 2, 3, 4]\n"
    registry = PlannedRegistry.with_files(make_repository(), {"experiments/a.yaml": spec})
    registry.run("claimed", **LAUNCHED)
    launcher = ScriptedLauncher()
    sync(registry.workspace, launcher, NoForge())
    assert launcher.calls == ["look for 4"]
    for number, run_id in enumerate(registry.snapshot.active()):
        registry.advance(run_id, state="submitted", job=f"job-{number}")
    launcher.calls.clear()
    sync(registry.workspace, launcher, NoForge())
    assert launcher.calls == ["poll 4"]


def test_runs_of_another_launcher_than_the_registrys_are_followed_too(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Followed(make_repository())  # its registry says: launcher: local
    monkeypatch.setitem(LAUNCHERS, "skypilot", lambda _: run.launcher)
    assert run.registry.workspace.registry.launcher == "local"
    run.launcher.statuses["job-1"] = JobStatus("ended", "its program failed", outcome="failed")
    synced = list(sync_here(run.registry.workspace, watch=True))
    assert run.attempt.outcome == "lost"
    assert [record.run_id for record in synced[0].changed] == [run.run_id]
    assert synced[-1].active == ()


def test_an_end_is_told_though_the_launcher_never_gives_its_lines(
    make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, gate = Followed(make_repository()), threading.Event()

    def hang(job: str, *, follow: bool) -> Iterator[str]:
        gate.wait(30)
        yield "too late"

    monkeypatch.setattr(run.launcher, "logs", hang)
    monkeypatch.setattr("runner.sync.LOG_SECONDS", 0.1)
    before = time.monotonic()
    assert run.sync("ended", "its program failed", outcome="failed").outcome == "lost"
    assert time.monotonic() - before < 20
    gate.set()
