"""An API server that was replaced at its address: under our numbers it has jobs of others."""

from __future__ import annotations

from pathlib import Path

import pytest
from sky_state import Job
from skypilot_bench import launcher_in, task_in
from stand_in_sky import Sky

from runner.errors import Refused
from runner.launchers.skypilot import SkyPilotLauncher
from runner.launchers.skypilot.ids import JobId, read_id

OURS = "r1-a1-aaaaaaaa"
LATER = "r2-a1-bbbbbbbb"
MACHINES = {"cloud": "GCP", "region": "us-central1"}

pytestmark = pytest.mark.filterwarnings("ignore:Setting per-request cookies:DeprecationWarning")
"""SkyPilot's own, of its way to upload."""


class Replaced:
    """A launcher with a job on record, whose number is now a stranger's."""

    def __init__(self, sky: Sky, folder: Path) -> None:
        self.sky, self.launcher = sky, launcher_in(folder)
        self.job = self.launcher.submit(task_in(folder, OURS))
        sky.become(sky.named(OURS), "RUNNING", **MACHINES)
        assert self.launcher.poll([self.job])[self.job].state == "running"
        self.stranger = Job(1, "theirs", {"resources": {}}, "RUNNING", log="their log\n")
        self.stranger.told |= MACHINES
        sky.jobs.clear()
        sky.jobs[1] = self.stranger


@pytest.fixture
def replaced(sky: Sky, tmp_path: Path) -> Replaced:
    return Replaced(sky, tmp_path)


@pytest.fixture
def launcher(replaced: Replaced) -> SkyPilotLauncher:
    return replaced.launcher


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "CANCELLED", "FAILED_NO_RESOURCE"])
def test_a_strangers_state_is_not_taken_for_ours(
    replaced: Replaced, launcher: SkyPilotLauncher, status: str
) -> None:
    replaced.stranger.status = status
    told = launcher.poll([replaced.job])[replaced.job]
    assert (told.state, told.outcome, told.where) == ("unknown", None, "")
    assert told.detail == (
        f"SkyPilot has no record of job 1 named {OURS}: was its server replaced?"
    )
    assert launcher.find([OURS]) == {}


def test_a_strangers_job_is_not_cancelled(replaced: Replaced, launcher: SkyPilotLauncher) -> None:
    launcher.cancel(replaced.job)
    launcher.cancel(OURS)
    launcher.release(replaced.job)
    assert launcher.left([replaced.job]) == {}
    assert replaced.stranger.status == "RUNNING"
    assert replaced.sky.asked("/jobs/cancel") == 0


def test_nothing_of_a_strangers_job_is_shown(
    replaced: Replaced, launcher: SkyPilotLauncher
) -> None:
    assert list(launcher.logs(replaced.job, follow=True)) == []
    assert launcher.links(replaced.job) == {}
    with pytest.raises(Refused, match="has no machines now: SkyPilot has no record of job 1"):
        launcher.shell(replaced.job)


def test_a_job_of_ours_among_strangers_is_followed_and_cancelled(
    replaced: Replaced, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    job = launcher.submit(task_in(tmp_path, LATER))
    assert job == f"job-2-{LATER}"
    replaced.sky.become(replaced.sky.named(LATER), "RUNNING", **MACHINES)
    states = {job: told.state for job, told in launcher.poll([replaced.job, job]).items()}
    assert states == {replaced.job: "unknown", job: "running"}
    assert launcher.left([replaced.job, job]) == {job: "managed job 2 is RUNNING"}
    assert list(launcher.links(job)) == ["skypilot"]
    launcher.cancel(job)
    assert replaced.sky.named(LATER).status == "CANCELLED"
    assert replaced.stranger.status == "RUNNING"


@pytest.mark.parametrize(
    ("written", "one"),
    [
        (f"job-17-{OURS}", JobId(17, OURS)),
        (f"cluster-{OURS}-3", JobId(3, OURS, is_kept=True)),
        ("job-17", None),
        (OURS, None),
    ],
)
def test_a_jobs_id_has_its_name(written: str, one: JobId | None) -> None:
    assert read_id(written) == one
    assert one is None or str(one) == written
