"""The SkyPilot launcher against an API server: submitted, found, followed, cancelled."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from pathlib import Path

import pytest
from sky_sdk import forget_server
from sky_state import Cluster
from skypilot_bench import launcher_in, task_in
from stand_in_sky import Sky

from runner.errors import OutsideError, Refused, Unclear
from runner.launchers import skypilot
from runner.launchers.base import JobStatus
from runner.launchers.skypilot import SkyPilotLauncher, managed

JOB = "r1-a1-aaaaaaaa"
ID = f"job-1-{JOB}"

pytestmark = pytest.mark.filterwarnings("ignore:Setting per-request cookies:DeprecationWarning")
"""SkyPilot's own, of its way to upload."""


@pytest.fixture
def launcher(sky: Sky, tmp_path: Path) -> SkyPilotLauncher:
    return launcher_in(tmp_path)


# Submitting


def test_a_job_is_submitted_under_the_ledgers_name(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    assert launcher.submit(task_in(tmp_path)) == ID
    assert sky.named(JOB).task["num_nodes"] == 1
    files = zipfile.ZipFile(io.BytesIO(sky.named(JOB).files)).namelist()
    assert any(name.endswith("/task.json") for name in files)
    assert launcher.find([JOB, "r2"]) == {JOB: ID}


def test_submitted_again_it_is_the_job_that_there_is(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    task = task_in(tmp_path)
    assert [launcher.submit(task) for _ in range(3)] == [ID] * 3
    assert launcher_in(tmp_path).submit(task) == ID  # another process of this clone
    assert len(sky.jobs) == 1


def test_a_lookup_right_before_is_not_repeated(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    launcher.find([JOB])
    launcher.submit(task_in(tmp_path))
    assert (sky.asked("/jobs/queue/v2"), sky.asked("/jobs/launch")) == (1, 1)


def test_many_names_are_looked_up_with_one_request_each_way(
    sky: Sky, launcher: SkyPilotLauncher
) -> None:
    launcher.find([f"r{number}" for number in range(30)])
    assert [sky.asked(path) for path in ("/api/status", "/jobs/queue/v2", "/status")] == [1, 1, 1]


def test_a_name_is_compared_exactly(sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path) -> None:
    launcher.submit(task_in(tmp_path, f"{JOB}0"))
    assert launcher.find([JOB]) == {}


def test_secrets_travel_apart_from_the_task(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "STORE_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, f"canary of {name}")
    task = task_in(
        tmp_path,
        spec={"secrets": ["HF_TOKEN"], "resources": {"nodes": 2}},
        node_variables=("STORE_KEY", "GITHUB_TOKEN", "NOT_SET"),
    )
    launcher.submit(task)
    sent = sky.named(JOB).task["secrets"]
    ranks_key = sent.pop("ROLLBOOK_RANKS_KEY")
    assert sent == {"HF_TOKEN": "canary of HF_TOKEN", "STORE_KEY": "canary of STORE_KEY"}
    assert len(ranks_key) == 64
    files = sky.named(JOB).files
    assert b"canary" not in files
    assert b"canary" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))


def test_a_secret_that_is_not_set_is_named_before_anything_is_submitted(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(Refused, match="HF_TOKEN is not set"):
        launcher.submit(task_in(tmp_path, spec={"secrets": ["HF_TOKEN"]}))
    assert sky.asked("/jobs/launch") == 0


def test_what_was_sent_is_kept_until_the_end_where_the_server_reads_this_disk(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_in(tmp_path)
    scratch = Path(task.scratch)
    launcher.submit(task)
    launcher.poll([ID])
    assert (scratch / "bundle").is_dir()  # on loopback: read again for each recovery
    sky.become(sky.named(JOB), "SUCCEEDED")
    launcher.poll([ID])
    assert not scratch.exists()
    monkeypatch.setattr(skypilot, "is_loopback", lambda url: False)
    other = task_in(tmp_path, "r2")
    launcher.submit(other)
    assert not Path(other.scratch).exists()


# Unclear answers


def test_an_answer_that_was_lost_is_found_by_name(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    sky.arm("lost", path="/jobs/launch")
    assert launcher.submit(task_in(tmp_path)) == ID
    assert len(sky.jobs) == 1


def test_a_result_that_was_lost_is_found_by_name(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    launcher.find([JOB])
    sky.arm("reset", path="/api/get")
    assert launcher.submit(task_in(tmp_path)) == ID
    assert len(sky.jobs) == 1


def test_a_submission_that_never_arrived_is_unclear_and_not_sent_again(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skypilot, "_SETTLE_SECONDS", 0.5)
    sky.arm("reset", path="/jobs/launch")
    with pytest.raises(Unclear):
        launcher.submit(task_in(tmp_path))
    assert sky.asked("/jobs/launch") == 1
    assert sky.jobs == {}


def test_a_submission_that_is_taken_up_is_waited_for_by_who_submits(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    sky.arm("held", path="/jobs/launch", seconds=3)
    submitting = threading.Thread(target=launcher.submit, args=(task_in(tmp_path),), daemon=True)
    submitting.start()
    while not any(one.name == "sky.jobs.launch" for one in list(sky.requests.values())):
        time.sleep(0.02)
    began = time.monotonic()
    with pytest.raises(Unclear, match=f"not answered the submission of {JOB} yet$"):
        launcher_in(tmp_path).find([JOB], wait=False)  # who only follows it asks again later
    assert time.monotonic() - began < 2
    assert sky.jobs == {}
    assert launcher_in(tmp_path).find([JOB]) == {JOB: ID}
    submitting.join()


def test_a_deadline_passes_and_the_name_tells(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher.find([JOB])
    monkeypatch.setattr("runner.launchers.skypilot.client.SUBMIT_SECONDS", 1.0)
    sky.arm("slow", path="/jobs/launch", seconds=4)
    assert launcher.submit(task_in(tmp_path)) == ID
    assert len(sky.jobs) == 1


# Following


def test_a_job_is_followed_with_one_request_for_all(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    for number in range(3):
        launcher.submit(task_in(tmp_path, f"r{number}"))
    sky.become(sky.named("r0"), "RUNNING", cloud="GCP", region="us-central1", start_at=1e6)
    sky.become(sky.named("r1"), "FAILED_NO_RESOURCE", failure_reason="none left", end_at=2e6)
    before = sky.asked("/jobs/queue/v2")
    told = launcher.poll(["job-1-r0", "job-2-r1", "job-3-r2", "job-9-r9", "nonsense"])
    assert sky.asked("/jobs/queue/v2") - before == 1
    assert told["job-1-r0"] == JobStatus("running", "", "gcp/us-central1", "1970-01-12T13:46:40Z")
    assert told["job-2-r1"].outcome == "no_capacity"
    assert told["job-2-r1"].detail == "no capacity in any place it may use: none left"
    states = [told[job].state for job in ("job-2-r1", "job-3-r2", "job-9-r9", "nonsense")]
    assert states == ["ended", "waiting", "unknown", "unknown"]


def test_a_job_in_skypilots_own_queue_is_told_from_one_between_two_tries(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    launcher.submit(task_in(tmp_path))
    queued = launcher.poll([ID])[ID]
    assert (queued.state, queued.since, queued.is_queued) == ("waiting", None, True)
    assert queued.detail == "waiting in SkyPilot's own queue"
    sky.become(sky.named(JOB), "PENDING", submitted_at=1e6, details="Job is in backoff")
    tried = launcher.poll([ID])[ID]
    assert (tried.since, tried.is_queued) == ("1970-01-12T13:46:40Z", False)
    assert tried.detail.endswith(": Job is in backoff")


def test_a_server_that_is_down_makes_jobs_unknown_and_never_ended(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    launcher.submit(task_in(tmp_path))
    sky.down()
    forget_server()
    told = launcher.poll([ID])[ID]
    assert told.state == "unknown"
    assert "does not answer" in told.detail
    with pytest.raises(OutsideError, match="does not answer"):
        launcher.find([JOB])
    sky.up()
    forget_server()
    assert launcher.poll([ID])[ID].state == "waiting"


def test_logs_are_lines_and_none_for_a_job_that_is_not_there(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    launcher.submit(task_in(tmp_path))
    sky.named(JOB).log = "\x1b[2m├── \x1b[0mLaunching\n\x1b[36m(r1, pid=7)\x1b[0m step 1\n"
    assert list(launcher.logs(ID, follow=True)) == ["├── Launching", "(r1, pid=7) step 1"]
    assert list(launcher.logs(f"job-2-{JOB}", follow=True)) == []
    assert list(launcher.logs("two", follow=True)) == []


# Cancelling


def test_a_cancelled_job_and_its_machines_are_gone(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    launcher.submit(task_in(tmp_path))
    sky.become(sky.named(JOB), "RUNNING", cloud="GCP")
    assert launcher.left([ID]) == {ID: "managed job 1 is RUNNING"}
    launcher.cancel(JOB)  # also by the name of its claim
    assert launcher.left([ID]) == {}
    assert launcher.poll([ID])[ID].outcome == "cancelled"
    launcher.cancel(ID)  # an ended job is left as it is
    launcher.cancel("r2")  # and so is one that never was
    assert sky.asked("/jobs/cancel") == 1


def test_machines_that_stay_are_named_with_the_command(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(managed, "_BETWEEN_LOOKS", 0.05)
    launcher.submit(task_in(tmp_path))
    held = {"cluster_name_on_cloud": "r1-1-aabbccdd"}
    sky.become(sky.named(JOB), "FAILED_CONTROLLER", **held)
    with pytest.raises(OutsideError, match="FAILED_CONTROLLER, its machines are there") as left:
        launcher.cancel(ID)
    assert left.value.cure == f"sky down {JOB}-1"  # to cancel an ended job gives nothing back
    assert "still there" in launcher.poll([ID])[ID].detail


# Clusters that are kept


def test_a_kept_cluster_has_the_job_and_stays_after_it(
    sky: Sky, launcher: SkyPilotLauncher, tmp_path: Path
) -> None:
    kept = task_in(tmp_path, spec={"resources": {"keep_cluster": "2h"}})
    job = launcher.submit(kept)
    assert job == f"cluster-{JOB}-1"
    assert launcher.submit(kept) == job
    sky.clusters[JOB].jobs[1].status = "RUNNING"
    assert launcher.poll([job])[job] == JobStatus("running", "", "slurm/stand-in")
    launcher.cancel(job)
    assert launcher.poll([job])[job].outcome == "cancelled"
    assert launcher.left([job]) == {job: f"cluster {JOB} is UP"}
    launcher.release(job)
    assert launcher.left([job]) == {}
    assert launcher.poll([job])[job].state == "ended"


@pytest.mark.parametrize("status", ["UP", "INIT"])
def test_a_cluster_that_a_failed_submission_has_left_goes_with_its_claim(
    sky: Sky, launcher: SkyPilotLauncher, status: str
) -> None:
    sky.clusters[JOB] = Cluster(JOB, status)
    assert launcher.find([JOB]) == {}
    launcher.cancel(JOB)
    assert sky.clusters == {}


# Where


def test_the_endpoint_tells_servers_apart(
    sky: Sky, launcher: SkyPilotLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = launcher.endpoint()
    assert here.startswith(f"skypilot:{sky.url}@")
    assert launcher.reach(here) == "here"
    assert launcher.reach(f"skypilot:{sky.url}@elsewhere") == "elsewhere"
    assert launcher.reach("local:host:/x#boot") == "elsewhere"
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", "https://me:secret@sky.example.com/")
    assert launcher.endpoint() == "skypilot:https://sky.example.com"
    config = Path("~/.sky/config.yaml").expanduser()
    config.write_text("active_workspace: research\n")
    assert launcher.endpoint() == "skypilot:https://sky.example.com#research"
    assert sky.log == []  # nobody was asked
