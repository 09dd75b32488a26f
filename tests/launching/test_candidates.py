"""Moving on from one place to the next: in time, one at a time, and never past an owner's word."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository
from scripted_launcher import ENDPOINT, ScriptedLauncher

from runner.errors import OutsideError, Refused
from runner.following.observation import name_of, observe
from runner.forges.none import NoForge
from runner.launchers.base import JobStatus
from runner.launching.candidates import coming, machines, moved, next_of, opened_now
from runner.launching.moves import open_asked, open_next, sync_and_move
from runner.launching.nonces import note_tried
from runner.launching.submission import submit_claimed
from runner.ledger.documents import experiment_of
from runner.ledger.record import Attempt, RunRecord, check_successor, now
from runner.node.channel import HEARTBEAT
from runner.node.restarts import CANCELLED
from runner.planning.actions import Forced
from runner.retry import retry
from runner.spec.experiment import Experiment
from runner.spec.resources import Resources
from runner.stopping.cancel import cancel as cancel_run
from runner.stopping.cancel import give_up
from runner.storage.runfolder import open_run_store
from runner.storage.store import RunStore
from runner.sync import record

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
WAITING = JobStatus("waiting", "waiting for H100:8")


def spec_of(*approvals: bool, wait: str = "30m") -> Experiment:
    places = ["k8s/pool", "gcp", "nebius", "aws"]
    candidates = [
        {"infra": infra, "needs_approval": approval}
        for infra, approval in zip(places, approvals, strict=False)
    ]
    resources = {"accelerators": "H100:8", "candidates": candidates, "wait_per_candidate": wait}
    return Experiment.model_validate(
        {
            "apiVersion": "rollbook/v1",
            "trainer": "script",
            "script": {"command": ["python", "train.py"], "files": ["train.py"]},
            "training": {"steps": 8, "prompts_per_step": 1, "learning_rate": 0.1},
            "resources": resources,
        }
    )


def record_of(**attempt: Any) -> RunRecord:
    values = {
        "number": 1,
        "state": "waiting",
        "nonce": "n",
        "commit": "c",
        "launcher": "skypilot",
        "endpoint": ENDPOINT,
        "job": "job-1",
        "claimed_at": "2026-01-01T11:00:00Z",
        "waiting_since": "2026-01-01T11:00:00Z",
        "gpus": 8,
        "gpu_hours": 24.0,
        "usd": 60.0,
        "steps": 8,
        **attempt,
    }
    return RunRecord(
        run_id="abcd00000000",
        identity="0" * 64,
        experiment="gsm8k/x",
        seed=1,
        point={},
        trainer="script",
        attempts=(Attempt.model_validate(values),),
    )


# What is decided


@given(
    approvals=st.lists(st.booleans(), max_size=4),
    opened=st.integers(1, 5),
    minutes=st.integers(0, 200),
    state=st.sampled_from(["submitted", "waiting", "running", "ended"]),
    says=st.sampled_from(["waiting", "running", "ended", "unknown"]),
    outcome=st.sampled_from([None, "cancelled", "no_capacity", "failed"]),
)
def test_only_a_wait_or_no_capacity_opens_one_more(
    approvals: list[bool], opened: int, minutes: int, state: str, says: Any, outcome: Any
) -> None:
    spec = spec_of(*approvals)
    since = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"outcome": "lost", "ended_at": since} if state == "ended" else {}
    before = record_of(
        state="submitted" if state == "ended" else state, candidates=opened, waiting_since=since
    )
    seen = Attempt.model_validate(before.latest.model_dump() | {"state": state} | ended)
    after = moved(spec, before, JobStatus(says, outcome=outcome), seen, NOW)

    rest = spec.resources.candidates[opened:]
    waited = state == "waiting" and says == "waiting" and minutes >= 30
    gave_up = state == "ended" and says == "ended" and outcome == "no_capacity"
    due = bool(rest) and not rest[0].needs_approval and (waited or gave_up)
    assert (after is not None) == due
    if after is None:
        return
    check_successor(before, after)
    former, claim = after.attempts
    assert (former.state, former.outcome) == ("ended", "cancelled")
    assert (claim.state, claim.candidates, claim.number) == ("claimed", opened + 1, 2)
    assert (claim.job, claim.waiting_since, claim.started_at) == (None, None, None)
    assert claim.nonce != former.nonce
    assert (claim.gpus, claim.gpu_hours, claim.usd) == (8, 24.0, 60.0)
    # And never twice: a claim does not wait.
    assert moved(spec, after, WAITING, claim, NOW + timedelta(days=9)) is None


def test_the_reason_says_where_it_waited_and_what_comes() -> None:
    record = record_of()
    after = moved(spec_of(False, False), record, WAITING, record.latest, NOW)
    assert after is not None
    assert after.attempts[0].reason == (
        "no capacity on k8s/pool within 30 min; attempt 2 may use gcp as well"
    )
    assert after.attempts[0].cure == ""


def test_what_comes_next_is_said() -> None:
    assert coming(spec_of(False, False), record_of()) == "gcp from 11:30 UTC"
    assert coming(spec_of(False, True), record_of()) == (
        "gcp once an owner of the policy says so: runner launch gsm8k/x"
    )
    assert coming(spec_of(False), record_of()) == ""
    assert coming(spec_of(False, False), record_of(state="running")) == ""
    # Its node prepares: that is no wait for capacity.
    assert coming(spec_of(False, True), record_of(waiting_since=None)) == ""


def test_an_owner_opens_what_time_does_not() -> None:
    spec, record = spec_of(False, True), record_of()
    assert moved(spec, record, WAITING, record.latest, NOW + timedelta(days=9)) is None
    after = opened_now(spec, record)
    assert after is not None
    assert after.latest.candidates == 2
    assert (
        after.attempts[0].reason == "no capacity on k8s/pool so far; attempt 2 may use gcp as well"
    )
    assert opened_now(spec, after) is None
    assert opened_now(spec, record_of(state="running")) is None
    assert next_of(spec, record_of(candidates=2).latest) is None


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({}, "a machine"),
        ({"nodes": 2}, "2 machines"),
        ({"accelerators": "H100:8"}, "H100:8"),
        ({"accelerators": "H100:8", "nodes": 2}, "2 x H100:8"),
    ],
)
def test_machines_in_words(resources: dict[str, Any], words: str) -> None:
    assert machines(Resources.model_validate(resources)) == words


# What is done

CANDIDATES = """\
resources:
  accelerators: 'H100:8'
  candidates: [{infra: k8s/pool}, {infra: gcp}, {infra: aws, needs_approval: true}]
"""
DVC = {
    ".dvc/config": "".join(
        f"['remote \"{name}\"']\n    url = s3://bucket/{name}\n" for name in ("data", "checkpoints")
    )
}
LONG_AGO = "2026-01-01T00:00:00Z"


class Waiting:
    """A registry with one run that waits at its first candidate, and its launcher."""

    def __init__(self, folder: Path) -> None:
        files = {**DVC, "experiments/a.yaml": SPEC + CANDIDATES}
        self.registry = PlannedRegistry.with_files(folder, files)
        self.launcher = ScriptedLauncher()
        self.launcher.statuses["job-1"] = WAITING._replace(since=LONG_AGO)
        [self.run_id] = self.registry.run(
            "submitted", job="job-1", launcher="skypilot", endpoint=ENDPOINT, claimed_at=now()
        )

    @property
    def record(self) -> RunRecord:
        return self.registry.snapshot.find(self.run_id)

    @property
    def store(self) -> RunStore:
        return open_run_store(self.registry.workspace, self.run_id)

    def sync(self) -> None:
        sync_and_move(self.registry.workspace, self.launcher, NoForge())

    def wait_long(self) -> None:
        """Make the newest job one that has waited for long."""
        self.launcher.statuses[str(self.record.latest.job)] = WAITING._replace(since=LONG_AGO)


@pytest.fixture
def waiting(make_repository: MakeRepository) -> Waiting:
    return Waiting(make_repository())


def test_the_next_is_submitted_once_the_former_is_gone(waiting):
    waiting.sync()
    first, second = waiting.record.attempts
    assert (first.state, first.outcome, second.state) == ("ended", "cancelled", "submitted")
    assert second.job == f"job-{waiting.launcher.submitted[0].job}"
    calls = [call for call in waiting.launcher.calls if call[:4] in ("canc", "subm")]
    assert calls == ["cancel job-1", "submit a2"]
    assert waiting.launcher.submitted[0].candidates == 2
    assert waiting.store.exists(f"a1/{CANCELLED}")

    waiting.sync()  # it waits, since a moment
    assert [one.state for one in waiting.record.attempts] == ["ended", "waiting"]
    waiting.wait_long()
    waiting.sync()  # the last one needs an owner
    assert len(waiting.record.attempts) == 2


def test_an_owner_opens_the_last(waiting):
    waiting.sync()
    waiting.sync()
    workspace = waiting.registry.workspace
    assert open_next(workspace, waiting.launcher, "other", by_owner=True) == ()
    with pytest.raises(Refused, match="aws needs approval") as caught:
        open_asked(workspace, waiting.launcher, Forced(launch=frozenset({"a"})))
    assert "runner launch a" in str(caught.value.cure)
    assert len(waiting.record.attempts) == 2
    forced = Forced(launch=frozenset({"a"}), by_owner=True)
    [launched] = open_asked(workspace, waiting.launcher, forced)
    assert (launched.attempt, launched.error) == (3, None)
    assert waiting.record.latest.candidates == 3
    assert waiting.launcher.submitted[-1].candidates == 3
    assert open_asked(workspace, waiting.launcher, forced) == ()


def test_while_something_of_the_former_is_left_nothing_is_submitted(waiting):
    cancel = waiting.launcher.cancel

    def fail(job: str) -> None:
        raise OutsideError("its machines are there")

    waiting.launcher.cancel = fail
    waiting.sync()
    assert [one.state for one in waiting.record.attempts] == ["ended", "claimed"]
    assert waiting.launcher.submitted == []
    waiting.launcher.cancel = cancel
    waiting.sync()  # whoever comes next takes the claim up
    assert waiting.record.latest.state == "submitted"
    assert len(waiting.launcher.submitted) == 1


@pytest.mark.parametrize("seen", ["waiting", "running"])
def test_cancelled_between_a_move_and_its_submission_nothing_of_the_former_is_left(waiting, seen):
    workspace, cancel = waiting.registry.workspace, waiting.launcher.cancel

    def fail(job: str) -> None:
        raise OutsideError("its machines are there")

    waiting.launcher.cancel = fail
    waiting.sync()  # ended on the ledger, and it goes on
    waiting.launcher.statuses["job-1"] = JobStatus(seen)
    with pytest.raises(OutsideError, match="its machines are there"):
        cancel_run(workspace, waiting.launcher, NoForge(), waiting.run_id)
    assert waiting.record.is_active
    waiting.launcher.cancel = cancel
    cancel_run(workspace, waiting.launcher, NoForge(), waiting.run_id)
    assert waiting.launcher.statuses["job-1"].state == "ended"
    assert waiting.record.latest.outcome == "cancelled"


def test_the_former_is_stopped_although_the_next_is_not_due_yet(waiting, monkeypatch):
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("runner.launching.moves.submit_claimed", die)
        with pytest.raises(KeyboardInterrupt):
            waiting.sync()
    note_tried(waiting.record.latest.nonce)  # as another process sees it
    waiting.launcher.unseen = 900.0
    waiting.sync()
    assert waiting.launcher.statuses["job-1"].state == "ended"
    assert (waiting.launcher.submitted, waiting.record.latest.state) == ([], "claimed")


def test_another_attempt_begins_once_nothing_is_left_of_all_before_it(waiting, monkeypatch):
    monkeypatch.setattr("runner.retry.check_places", lambda *_: None)
    workspace, cancel = waiting.registry.workspace, waiting.launcher.cancel

    def fail(job: str) -> None:
        raise OutsideError("its machines are there")

    waiting.launcher.cancel = fail
    waiting.sync()
    give_up(workspace, NoForge(), waiting.run_id)  # what was claimed was never submitted
    [refused] = retry(workspace, waiting.launcher, waiting.run_id).launched
    assert (refused.attempt, refused.job, refused.error) == (3, None, "its machines are there")
    waiting.launcher.cancel = cancel
    [launched] = submit_claimed(workspace, waiting.launcher)
    assert launched.job == f"job-{waiting.launcher.submitted[0].job}"
    assert waiting.launcher.statuses["job-1"].state == "ended"


def test_a_job_of_the_same_name_that_is_not_on_record_is_stopped_too(waiting):
    twin = f"job-{name_of(waiting.record)}"
    waiting.launcher.statuses[twin] = JobStatus("waiting", "waiting for H100:8")
    waiting.sync()
    calls = [call for call in waiting.launcher.calls if call[:4] in ("canc", "subm")]
    assert calls == ["cancel job-1", f"cancel {twin}", "submit a2"]


def test_two_at_once_move_it_once(waiting):
    workspace = waiting.registry.workspace
    stale = workspace.ledger.fetch()
    waiting.sync()
    first = waiting.record
    # The other one saw the same, and comes later.
    run = stale.find(waiting.run_id)
    status = WAITING._replace(since=LONG_AGO)
    seen = observe(workspace, stale, run, status)
    after = moved(experiment_of(stale, run.run_id), run, status, seen, datetime.now(UTC))
    assert after is not None
    written = record(workspace, NoForge(), stale, {run.run_id: seen}, {run.run_id: after})
    assert (written.changed, written.moved) == ((), ())
    assert waiting.record == first


def test_one_in_the_queue_of_its_launcher_moves_on_nowhere(waiting):
    queued = WAITING._replace(detail="waiting in SkyPilot's own queue", is_queued=True)
    waiting.launcher.statuses["job-1"] = queued._replace(since=LONG_AGO)
    waiting.sync()
    assert [one.state for one in waiting.record.attempts] == ["waiting"]
    waiting.registry.advance(waiting.run_id, waiting_since=LONG_AGO)
    waiting.sync()
    assert (len(waiting.record.attempts), waiting.record.latest.waiting_since) == (1, None)
    waiting.wait_long()  # SkyPilot tries for machines, and finds none
    waiting.sync()
    assert len(waiting.record.attempts) == 2


def test_only_who_reaches_the_launcher_moves_it(waiting):
    waiting.launcher.reach = lambda endpoint: "elsewhere"
    waiting.sync()
    assert len(waiting.record.attempts) == 1


def test_one_without_capacity_moves_at_once(waiting):
    waiting.launcher.statuses["job-1"] = JobStatus(
        "ended", "no machine like that", outcome="no_capacity"
    )
    waiting.sync()
    first, second = waiting.record.attempts
    assert first.reason == (
        "k8s/pool cannot have it: no machine like that; attempt 2 may use gcp as well"
    )
    assert (second.state, second.candidates) == ("submitted", 2)


def test_a_recovered_one_moves_on_too_and_keeps_its_checkpoint(waiting):
    beat = {"time": LONG_AGO, "phase": "training", "step": 5, "steps": 8, "seconds": 60.0}
    waiting.store.put(f"a1/epoch-1/{HEARTBEAT}", json.dumps(beat).encode())
    waiting.store.put("a1/epoch-1/checkpoints/step-4/manifest.json", b"{}")
    waiting.launcher.statuses["job-1"] = JobStatus("running")
    waiting.sync()
    assert waiting.record.latest.state == "running"
    waiting.launcher.statuses["job-1"] = JobStatus("waiting", "waiting again for H100:8")
    waiting.sync()  # its wait begins now
    assert waiting.record.latest.reason == "recovering after a preemption at step 5"
    waiting.registry.advance(waiting.run_id, waiting_since=LONG_AGO)
    waiting.sync()
    assert len(waiting.record.attempts) == 2
    assert waiting.launcher.submitted[0].resume == "a1/epoch-1/checkpoints/step-4"
