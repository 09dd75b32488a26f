"""Clocks hours apart, the node's and a colleague's: no run is stopped or forgotten by that."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "following"))
from test_following import SAVING, Followed

from runner.following import limits
from runner.ledger.documents import experiment_of
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


@pytest.mark.parametrize("ahead", [-5, 5])
def test_a_colleague_whose_clock_is_wrong_stops_nothing(make_repository, monkeypatch, ahead):
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + ahead * HOURS

    node = Node(make_repository(), 0)
    node.speak()
    monkeypatch.setattr(limits, "datetime", Wrong)
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


def test_a_store_says_what_time_it_is(tmp_path):
    store = RunStore(str(tmp_path))
    before = datetime.now(UTC) - timedelta(seconds=2)
    assert before < store.now() < datetime.now(UTC) + timedelta(seconds=2)
    assert store.list() == []
    assert store.modified("nowhere") is None
