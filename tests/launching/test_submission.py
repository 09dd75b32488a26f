"""Each claim is submitted once, whoever is interrupted between a submission and its record."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from planned_registry import SETTINGS, PlannedRegistry
from real_git import MakeRepository
from scripted_launcher import ScriptedLauncher

from runner.apply import claim
from runner.errors import OutsideError, Unclear
from runner.following.observation import name_of
from runner.launchers.base import JobStatus
from runner.launching.nonces import note_tried
from runner.launching.submission import Launched, submit_claimed
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import Attempt, now
from runner.node.task import NodeTask

SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py], files: [train.py]}
training: {steps: 8, prompts_per_step: 1, learning_rate: 1e-3}
seeds: [%s]
"""
FILES = {
    "registry.yaml": f"{SETTINGS}run_store: file:///nonexistent/runs\n",
    ".dvc/config": "".join(
        f"['remote \"{name}\"']\n    url = /nonexistent/dvc\n" for name in ("data", "checkpoints")
    ),
    "train.py": "",
}


class Slow(ScriptedLauncher):
    """One whose submissions are not found by others for a while."""

    unseen = 900.0

    def __init__(self) -> None:
        super().__init__()
        self.fault: Exception | None = None
        """What the next submissions raise."""
        self.at_once = threading.Barrier(1)
        """How many submissions there must be before any is carried out."""

    def submit(self, task: NodeTask) -> str:
        self.at_once.wait(10)
        if self.fault:
            raise self.fault
        return super().submit(task)


class Claimed:
    """A registry with runs that were claimed by this process, or by another one."""

    def __init__(self, folder: Path, runs: int = 1) -> None:
        specs = {f"experiments/x{n}.yaml": SPEC % n for n in range(runs)}
        self.registry = PlannedRegistry.with_files(folder, {**FILES, **specs})
        self.launcher = Slow()
        workspace = self.registry.workspace
        claim(workspace, self.launcher, workspace.repository.head())

    def submit(self) -> tuple[Launched, ...]:
        return submit_claimed(self.registry.workspace, self.launcher)

    @property
    def attempts(self) -> list[Attempt]:
        snapshot = self.registry.snapshot
        return [record.latest for record in snapshot.records(snapshot.active()).values()]

    @property
    def attempt(self) -> Attempt:
        [attempt] = self.attempts
        return attempt

    def by_another(self, minutes: float) -> None:
        """Let the claim be of another process, and so old."""
        note_tried(self.attempt.nonce)
        then = datetime.now(UTC) - timedelta(minutes=minutes)
        self.change(claimed_at=then.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def change(self, **values: object) -> None:
        def step(newest: Snapshot) -> Changes:
            [record] = newest.records(newest.active()).values()
            attempt = record.latest.model_copy(update=values)
            return Draft(newest).put_record(record.with_latest(attempt)).changes("Changed")

        self.registry.workspace.ledger.transact(step)


@pytest.fixture
def claimed(make_repository: MakeRepository) -> Claimed:
    return Claimed(make_repository())


def test_own_claims_are_looked_up_at_once_submitted_in_parallel_and_recorded_together(
    make_repository: MakeRepository,
) -> None:
    several = Claimed(make_repository(), runs=5)
    several.launcher.at_once = threading.Barrier(5)  # broken unless all five are under way
    ledger, repository = several.registry.workspace.ledger, several.registry.workspace.repository
    before = ledger.snapshot().commit
    assert {one.error for one in several.submit()} == {None}
    assert several.launcher.calls[0] == "find 5"
    assert [call.split()[0] for call in several.launcher.calls[1:]] == ["submit"] * 5
    assert {one.state for one in several.attempts} == {"submitted"}
    assert repository.resolve(f"{ledger.snapshot().commit}^") == before


def test_a_young_claim_of_another_process_is_left_to_it(claimed: Claimed) -> None:
    claimed.by_another(minutes=3)
    [left] = claimed.submit()
    assert (left.job, left.error) == (None, None)
    assert "being submitted by another runner" in left.later
    assert claimed.launcher.submitted == []
    assert claimed.attempt.state == "claimed"


def test_a_job_that_another_process_has_submitted_is_recorded(claimed: Claimed) -> None:
    claimed.by_another(minutes=3)
    [record] = claimed.registry.snapshot.records(claimed.registry.snapshot.active()).values()
    job = f"job-{name_of(record)}"
    claimed.launcher.statuses[job] = JobStatus("running")
    [found] = claimed.submit()
    assert (found.job, claimed.attempt.job) == (job, job)
    assert claimed.launcher.submitted == []


def test_an_old_claim_is_taken_up_and_is_young_again_while_it_is_submitted(
    claimed: Claimed,
) -> None:
    claimed.by_another(minutes=16)
    claimed.launcher.fault = Unclear("the answer was lost")
    [unclear] = claimed.submit()
    assert unclear.error == "the answer was lost"
    assert claimed.attempt.claimed_at > (datetime.now(UTC) - timedelta(minutes=1)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    claimed.launcher.fault = None
    [left] = claimed.submit()  # nobody knows what became of it: not again for a while
    assert left.later
    assert claimed.launcher.submitted == []


def test_a_claim_whose_submission_is_known_to_have_failed_is_taken_up_at_once(
    claimed: Claimed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_very_secret")
    claimed.launcher.fault = OutsideError("the server is down, says ghs_very_secret")
    [failed] = claimed.submit()
    assert failed.error
    assert claimed.attempt.reason == "not submitted: the server is down, says ***"
    claimed.launcher.fault = None
    [launched] = claimed.submit()
    assert launched.job
    assert (claimed.attempt.state, claimed.attempt.reason) == ("submitted", "")


def test_while_nobody_answers_nothing_is_submitted_and_nothing_is_forgotten(
    claimed: Claimed,
) -> None:
    claimed.launcher.is_away = True
    [away] = claimed.submit()
    assert away.error == "the server does not answer"
    assert claimed.attempt.reason == "not submitted: the server does not answer"
    note_tried(claimed.attempt.nonce)  # as another process sees it
    claimed.launcher.is_away = False
    [launched] = claimed.submit()
    assert launched.job


def test_a_job_that_nobody_wants_any_more_is_stopped(claimed: Claimed) -> None:
    class Interrupted(Slow):
        def submit(self, task: NodeTask) -> str:
            job = super().submit(task)
            claimed.change(state="ended", outcome="cancelled", ended_at=now())
            return job

    claimed.launcher = Interrupted()
    [launched] = claimed.submit()
    assert claimed.launcher.calls[-1] == f"cancel {launched.job}"


def test_a_fault_of_the_runners_own_loses_no_job(make_repository: MakeRepository) -> None:
    two = Claimed(make_repository(), runs=2)

    class Broken(Slow):
        def submit(self, task: NodeTask) -> str:
            if task.experiment == "x0":
                raise KeyError("a bug")
            return super().submit(task)

    two.launcher = Broken()
    with pytest.raises(KeyError):
        two.submit()
    assert sorted(one.state for one in two.attempts) == ["claimed", "submitted"]
