"""Limits looked at from outside, and what is recorded of a cost: real records, real folders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from real_git import MakeRepository
from test_following import SAVING, Followed

from runner.errors import OutsideError
from runner.following.limits import overdue, taken
from runner.forges.none import NoForge
from runner.launchers.base import JobStatus
from runner.ledger.documents import experiment_of
from runner.ledger.spending import spent_by
from runner.node.rate import Rate
from runner.node.task import Limits, NodeTask, Result
from runner.storage.runfolder import AttemptFolder
from runner.sync import sync

BUDGETED = f"""{SAVING}\
resources:
  accelerators: 'H100:8'
  max_duration: 2h
  candidates: [{{infra: gcp, spot: true}}]
budget: {{usd_per_run: 100}}
"""
HEARD = datetime(2026, 1, 1, 1, tzinfo=UTC)
RUNNING = JobStatus("running", where="gcp/us-central1")
RATE = Rate(infra="gcp", spot=True, usd_per_hour=30.0)


class Limited(Followed):
    """A run whose node was heard for a minute, and said no more."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder, BUDGETED, claimed_at="2026-01-01T00:00:00Z")
        self.beat("training", 5)

    def told(self, *rates: Rate, epoch: int = 1, **limits: Any) -> None:
        spec = experiment_of(self.registry.snapshot, self.run_id)
        task = NodeTask(
            run_id=self.run_id, attempt="a1", job="job-1", nonce="n", experiment="a", seed=0,
            spec=spec, steps=8, commit="", code="", store="", scratch="", train_python="",
            data_remote="", checkpoint_remote="", rates=rates, limits=Limits(**limits),
        )  # fmt: skip
        content = task.model_dump_json(by_alias=True).encode()
        self.store.put(f"a1/epoch-{epoch}/task.json", content)

    @property
    def folder(self) -> AttemptFolder:
        return AttemptFolder(self.store, "a1")

    def ending(self, minutes: float, status: JobStatus = RUNNING) -> Any:
        spec, at = experiment_of(self.registry.snapshot, self.run_id), HEARD
        return overdue(self.folder, self.attempt, spec, status, at + timedelta(minutes=minutes))


@pytest.fixture
def limited(make_repository: MakeRepository) -> Limited:
    return Limited(make_repository())


def test_a_silent_node_is_over_its_time_after_the_grace(limited):
    limited.told(RATE, seconds=7200)
    assert limited.ending(148) is None  # 1 + 148 minutes of 120 + 30
    ending = limited.ending(150)
    assert (ending.outcome, ending.reason) == (
        "failed",
        "stopped at step 5 of 8 by sync, as its node did not: it was over its time limit of 2 h",
    )
    assert ending.cure.endswith("runner retry   starts anew: no checkpoint was kept")


def test_a_silent_node_is_over_its_budget_after_the_grace(limited):
    limited.told(RATE, seconds=7200, usd=20.0)
    limited.store.put("a1/epoch-1/checkpoints/step-4/manifest.json", b"{}")
    # $20 last 40 minutes at $30 an hour.
    assert limited.ending(68) is None
    ending = limited.ending(70)
    assert (ending.outcome, ending.reason) == (
        "over_budget",
        "stopped at step 5 of 8 by sync, as its node did not: its budget of $100 goes no further",
    )
    assert ending.cure.endswith("runner retry   goes on from the checkpoint of step 4")


@pytest.mark.parametrize("state", ["waiting", "unknown", "ended"])
def test_only_what_runs_is_overdue(limited, state):
    limited.told(RATE, seconds=60, usd=1.0)
    assert limited.ending(9999, JobStatus(state)) is None


def test_waiting_costs_nothing_and_a_word_at_the_end_counts(limited):
    limited.told(RATE, seconds=60, usd=1.0)
    limited.beat("interrupted", 5)
    assert limited.ending(9999) is None  # heard 60 s in all, and nothing runs since
    begun = RUNNING._replace(since="2026-01-01T02:00:00Z")  # other machines, silent since
    assert limited.ending(61, begun) is None
    assert limited.ending(95, begun).outcome == "over_budget"
    limited.beat("training", 5)
    assert limited.ending(9999) is not None
    limited.result(Result(exit_code=5))
    assert limited.ending(9999) is None


def test_a_setup_that_never_ends_is_over_the_time_limit(make_repository):
    limited = Limited(make_repository())
    limited.store.delete("a1")
    begun = RUNNING._replace(since="2026-01-01T01:00:00Z")
    assert limited.ending(9999) is None  # since when, nobody says
    assert limited.ending(150, begun) is None
    ending = limited.ending(151, begun)
    assert ending.reason == (
        "stopped by sync, before its node program began: it was over its time limit of 2 h"
    )


def test_what_earlier_starts_took_counts(limited):
    limited.told(RATE, seconds=7200)
    limited.beat("training", 7, epoch=2)
    limited.told(RATE, epoch=2, seconds=7200)
    folder, task = limited.folder, limited.folder.task()
    now = taken(folder, task, RUNNING, HEARD + timedelta(minutes=10))
    assert (now.seconds, now.usd, now.usd_per_hour) == (720.0, 6.0, 30.0)
    unknown = task.model_copy(update={"rates": ()})
    assert taken(folder, unknown, RUNNING, HEARD).usd is None


def test_without_a_price_money_stops_nothing(limited):
    limited.told(seconds=10**6, usd=1.0)
    assert limited.ending(9999) is None


def test_sync_stops_what_its_node_should_have_stopped(limited):
    limited.told(RATE, seconds=7200, usd=20.0)
    attempt = limited.sync("running", where="gcp/us-central1")
    assert limited.launcher.calls[-1] == "cancel job-1"
    assert (attempt.state, attempt.outcome) == ("ended", "over_budget")
    # Recorded is what was heard: how long it really went on nobody knows.
    assert [(stay.usd, stay.seconds) for stay in attempt.stays] == [(0.5, 60.0)]
    assert attempt.cost_usd == 0.5


def test_one_that_cannot_be_cancelled_goes_on(limited, monkeypatch):
    limited.told(RATE, seconds=7200, usd=20.0)
    limited.launcher.statuses["job-1"] = RUNNING
    monkeypatch.setattr(limited.launcher, "cancel", _fail)
    sync(limited.registry.workspace, limited.launcher, NoForge())
    assert limited.attempt.state == "running"


def _fail(job: str) -> None:
    raise OutsideError("the server does not answer")


def test_an_end_records_what_each_stay_cost(limited):
    limited.told(RATE, seconds=7200)
    limited.beat("ended", 8)
    limited.result(Result(exit_code=5, error="x"))
    attempt = limited.sync("ended")
    assert [stay.usd for stay in attempt.stays] == [0.5]
    assert attempt.cost_usd == 0.5
    assert spent_by(attempt.model_copy(update={"gpus": 8})).gpu_hours == round(8 / 60, 3)
