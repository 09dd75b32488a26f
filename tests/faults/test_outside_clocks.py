"""Clocks hours apart, the node's and a colleague's: no run is stopped or forgotten by that.

The table of clocks in docs/one-training.md says which are compared, and names these tests.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_following import CANDIDATES, SAVING, SINCE, Followed
from test_submission import Claimed, Slow

import runner.sync
from runner.errors import LeaseHeld, Unclear
from runner.following import limits
from runner.launching import submission
from runner.ledger import record
from runner.ledger.documents import experiment_of
from runner.node.lease import acquire
from runner.node.task import Limits, NodeTask
from runner.storage.store import RunStore

SPEC = f"""{SAVING}\
resources: {{accelerators: 'H100:8', max_duration: 2h, candidates: [{{infra: gcp}}]}}
"""
EARLIER = "2026-01-01T00:00:00Z"
HOURS = timedelta(hours=1)


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Node(Followed):
    """A run whose node has a clock of its own."""

    def __init__(self, folder: Path, behind: float) -> None:
        super().__init__(folder, SPEC, claimed_at=EARLIER)
        self.behind = behind * HOURS
        spec = experiment_of(self.registry.snapshot, self.run_id)
        task = NodeTask(
            run_id=self.run_id, attempt="a1", job="job-1", nonce="n", experiment="a", seed=0,
            spec=spec, steps=8, commit="", code="", store="", scratch="", train_python="",
            data_remote="", checkpoint_remote="", limits=Limits(seconds=7200),
        )  # fmt: skip
        self.store.put("a1/epoch-1/task.json", task.model_dump_json(by_alias=True).encode())

    def speak(self, ago: float = 0.0) -> None:
        """Leave a heartbeat, `ago` hours ago."""
        at = datetime.now(UTC) - ago * HOURS
        self.beat("training", 5, time=moment(at - self.behind))
        path = self.store.url("a1/epoch-1/heartbeat.json")
        os.utime(path, (at.timestamp(), at.timestamp()))

    @property
    def is_stopped(self) -> bool:
        return "cancel job-1" in self.launcher.calls


@pytest.mark.parametrize("behind", [-5, -0.6, 0, 0.6, 5])
def test_a_node_that_speaks_goes_on_whatever_its_clock_says(make_repository, behind):
    node = Node(make_repository(), behind)
    node.speak()
    attempt = node.sync("running", where="gcp/us-central1")
    assert (attempt.state, attempt.step, node.is_stopped) == ("running", 5, False)


@pytest.mark.parametrize("behind", [-5, -0.6, 0, 0.6, 5])
def test_a_node_that_is_silent_is_stopped_whatever_its_clock_says(make_repository, behind):
    node = Node(make_repository(), behind)
    # Of 2 hours and the grace of half of one; a clock that is ahead by less may delay it as much.
    node.speak(ago=4)
    attempt = node.sync("running", where="gcp/us-central1")
    assert (attempt.state, attempt.outcome, node.is_stopped) == ("ended", "failed", True)
    assert "as its node did not: it was over its time limit of 2 h" in attempt.reason


def wrong_clock(monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """Let the clock of whoever commands from now on be `ahead` by so many hours."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + ahead * HOURS

    for module in (limits, record, submission, runner.sync):
        monkeypatch.setattr(module, "datetime", Wrong)


@pytest.mark.parametrize("ahead", [-5, 5])
def test_a_colleague_whose_clock_is_wrong_stops_nothing(make_repository, monkeypatch, ahead):
    node = Node(make_repository(), 0)
    node.speak()
    wrong_clock(monkeypatch, ahead)
    attempt = node.sync("running", where="gcp/us-central1")
    assert (attempt.state, node.is_stopped) == ("running", False)


@pytest.mark.parametrize("behind", [-5, 5])
def test_a_start_after_a_wait_is_seen_whatever_its_clock_says(make_repository, behind):
    node = Node(make_repository(), behind)
    node.speak(ago=0.5)
    since = (datetime.now(UTC) - 0.1 * HOURS).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert node.sync("waiting", "its machines are gone", since=since).state == "waiting"
    # What the former start has said is no sign of life.
    assert node.sync("running", since=since).state == "waiting"
    node.speak()
    assert node.sync("running", since=since).state == "running"


@pytest.mark.parametrize("ahead", [-5, 5])
def test_a_run_keeps_its_place_whatever_the_clock_of_who_syncs_says(
    make_repository, monkeypatch, ahead
):
    waiting = Followed(make_repository(), CANDIDATES)
    wrong_clock(monkeypatch, ahead)
    attempt = waiting.sync("waiting", "waiting for H100:8", since=SINCE)
    assert (attempt.number, attempt.state) == (1, "waiting")


def test_a_run_moves_on_by_the_clock_of_the_store(make_repository, monkeypatch):
    waiting = Followed(make_repository(), CANDIDATES)
    later = datetime.now(UTC) + HOURS
    monkeypatch.setattr(RunStore, "now", lambda _: later)
    # Whose clock is behind leaves it to others.
    assert waiting.sync("waiting", "waiting for H100:8", since=SINCE).number == 1
    wrong_clock(monkeypatch, 5)
    attempt = waiting.sync("waiting", "waiting for H100:8", since=SINCE)
    assert (attempt.number, attempt.state) == (2, "claimed")


@pytest.mark.parametrize("ahead", [-5, 5])
def test_a_wait_that_begins_unseen_begins_by_the_clock_of_the_store(
    make_repository, monkeypatch, ahead
):
    waiting = Followed(make_repository(), CANDIDATES)
    wrong_clock(monkeypatch, ahead)
    since = waiting.sync("waiting", "waiting for H100:8").waiting_since
    assert abs(datetime.now(UTC) - datetime.fromisoformat(since)) < 0.1 * HOURS


class Unanswered(Slow):
    """One that takes a submission without an answer, and shows it to nobody yet."""

    def submit(self, task: NodeTask) -> str:
        self.submitted.append(task)
        raise Unclear("the answer was lost")


@pytest.mark.parametrize("ahead", [-3, 3])
def test_a_young_claim_that_looks_old_makes_two_jobs_and_one_training(
    make_repository, monkeypatch, tmp_path, ahead
):
    claimed = Claimed(make_repository())
    claimed.launcher = Unanswered()
    [unclear] = claimed.submit()
    assert unclear.error
    wrong_clock(monkeypatch, ahead)
    claimed.submit()  # as another process does, whose clock is wrong: it looks, and finds nothing
    one, two = claimed.launcher.submitted
    assert (one.run_id, one.attempt, one.nonce) == (two.run_id, two.attempt, two.nonce)
    assert one.store == two.store
    store = RunStore(str(tmp_path / "store"))
    acquire(store, one.attempt, one.run_id, one.attempt, "1", one.nonce)
    with pytest.raises(LeaseHeld):
        acquire(store, two.attempt, two.run_id, two.attempt, "2", two.nonce)


def test_a_claim_from_the_future_is_not_left_until_then(make_repository):
    claimed = Claimed(make_repository())
    claimed.by_another(minutes=-300)
    [launched] = claimed.submit()
    assert launched.job
    assert claimed.attempt.state == "submitted"
    assert datetime.fromisoformat(claimed.attempt.claimed_at) < datetime.now(UTC) + 0.1 * HOURS


def test_clocks_a_little_apart_leave_a_young_claim_to_who_made_it(make_repository):
    claimed = Claimed(make_repository())
    claimed.by_another(minutes=-3)
    [left] = claimed.submit()
    assert left.later
    assert claimed.launcher.submitted == []


def test_a_store_says_what_time_it_is(tmp_path):
    store = RunStore(str(tmp_path))
    before = datetime.now(UTC) - timedelta(seconds=2)
    assert before < store.now() < datetime.now(UTC) + timedelta(seconds=2)
    assert store.list() == []
    assert store.modified("nowhere") is None
