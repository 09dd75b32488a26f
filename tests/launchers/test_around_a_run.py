"""What people do around runs at an API server, by the commands that they type."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from planned_registry import SETTINGS, PlannedRegistry
from real_git import MakeRepository
from sky_state import Cluster, Job
from stand_in_sky import Sky
from typed_command import Answer, type_command

from runner.launchers.skypilot import SkyPilotLauncher, client
from runner.launching.tasks import job_name
from runner.ledger.record import RunRecord
from runner.looking import reach
from runner.node.channel import TRAINER_LOG
from runner.storage.runfolder import LAUNCHER_LOG, open_run_store

SPEC = """\
apiVersion: rollbook/v1
trainer: script
script: {command: [python, train.py], files: [train.py]}
training: {steps: 2, prompts_per_step: 1, learning_rate: 0.1}
resources:
  candidates: [{infra: slurm/virtual}, {infra: gcp}]
"""
NONCE = "0123456789abcdef"
MACHINES = {"cloud": "Slurm", "region": "virtual"}


class Bench:
    """A registry whose runs are at the API server `sky`, and what a person types."""

    def __init__(self, registry: PlannedRegistry, sky: Sky, shared: Path) -> None:
        self.registry, self.sky, self.shared = registry, sky, shared

    def say(self, *arguments: str) -> Answer:
        return type_command("-C", self.registry.folder, *arguments)

    def launched(self, status: str = "RUNNING", endpoint: str = "", **told: Any) -> tuple[str, Job]:
        """Record the run as submitted, with its job at the server."""
        endpoint = endpoint or SkyPilotLauncher(self.registry.workspace).endpoint()
        [run_id] = self.registry.run(
            "submitted", launcher="skypilot", endpoint=endpoint, nonce=NONCE
        )
        job = self.add(job_name(run_id, "a1", NONCE), status, **told)
        self.registry.advance(run_id, job=f"job-{job.id}-{job.name}")
        return run_id, job

    def add(self, name: str, status: str = "RUNNING", **told: Any) -> Job:
        number = len(self.sky.jobs) + 1
        job = Job(number, name, {"resources": {}}, status, told=told)
        self.sky.jobs[number] = job
        return job

    def record(self, run_id: str) -> RunRecord:
        return self.registry.snapshot.find(run_id)


@pytest.fixture
def bench(make_repository: MakeRepository, sky: Sky, tmp_path: Path) -> Bench:
    shared = f"file://{tmp_path}"
    files = {
        "registry.yaml": f"{SETTINGS}launcher: skypilot\nrun_store: {shared}/store\n",
        "experiments/x.yaml": SPEC,
        "train.py": "",
        ".dvc/config": f"['remote \"data\"']\n  url = {shared}\n"
        f"['remote \"checkpoints\"']\n  url = {shared}\n",
    }
    return Bench(PlannedRegistry.with_files(make_repository(), files), sky, tmp_path)


# down


def test_down_stops_what_goes_on_and_looks_that_nothing_is_left(bench: Bench) -> None:
    run_id, job = bench.launched(**MACHINES)
    said = bench.say("down", "x")
    assert (said.code, job.status) == (0, "CANCELLED")
    assert f"run {run_id}, attempt 1: stopped, and its machines are given back" in said.out
    assert "nothing of x is left" in said.err
    assert bench.record(run_id).latest.outcome == "cancelled"
    again = bench.say("down", "x")
    assert (again.code, again.out) == (0, "")


def test_down_takes_the_cluster_of_an_ended_run_down(bench: Bench) -> None:
    run_id, _ = bench.launched("SUCCEEDED")
    name = job_name(run_id, "a1", NONCE)
    bench.sky.clusters[name] = Cluster(name, jobs={1: Job(1, name, {}, "SUCCEEDED")})
    ended = {"state": "ended", "outcome": "succeeded", "ended_at": "2026-01-01T01:00:00Z"}
    bench.registry.advance(run_id, job=f"cluster-{name}-1", **ended)
    assert bench.say("down", run_id[:6]).code == 0
    assert bench.sky.clusters == {}
    assert bench.record(run_id).latest.outcome == "succeeded"


def test_down_says_what_is_left_where_the_server_fails(bench: Bench) -> None:
    run_id, job = bench.launched(**MACHINES)
    bench.sky.arm("fails", path="/jobs/cancel", times=9, error=RuntimeError("no such cloud"))
    said = bench.say("down", "x")
    assert (said.code, job.status) == (3, "RUNNING")
    assert f"run {run_id}, attempt 1: " in said.err
    assert "runner doctor --leaks" in said.err
    assert bench.record(run_id).is_active


def test_down_leaves_alone_what_was_launched_elsewhere_and_says_so(bench: Bench) -> None:
    _, job = bench.launched(endpoint="skypilot:https://another.example")
    said = bench.say("down", "x")
    assert (said.code, job.status) == (3, "RUNNING")
    assert "launched elsewhere: skypilot:https://another.example" in said.err


@pytest.mark.parametrize("command", ["cancel", "down"])
def test_a_strangers_job_under_our_number_is_neither_stopped_nor_shown(
    bench: Bench, command: str
) -> None:
    run_id, job = bench.launched(**MACHINES)
    job.name, job.log = "theirs", "their log\n"  # what a server that was replaced has there
    assert "their log" not in bench.say("logs", "x").out
    assert "dashboard" not in bench.say("open", "x").out
    assert bench.say(command, "x").code == 0
    assert job.status == "RUNNING"
    assert bench.record(run_id).latest.outcome == "cancelled"


# doctor


def test_doctor_names_the_server_and_what_it_may_use(bench: Bench) -> None:
    said = bench.say("doctor", "--json")
    checks = {check["name"]: check for check in said.json["checks"]}
    assert checks["launcher skypilot"]["message"].startswith(f"0.14.1 at {bench.sky.url}")
    assert checks["launcher skypilot"]["message"].endswith("; may use slurm/virtual")
    assert {checks[name]["state"] for name in ("git", "ledger", "run store")} == {"ok"}
    assert not list(bench.shared.glob("store/doctor-*"))


def test_doctor_exits_3_with_a_cure_when_the_server_is_down(bench: Bench) -> None:
    bench.sky.down()
    said = bench.say("doctor")
    bench.sky.up()
    assert said.code == 3
    [line] = [line for line in said.out.splitlines() if "launcher skypilot" in line]
    assert line.startswith("no  ")
    assert bench.sky.url in line
    assert "ok    ledger" in said.out  # the others are looked at all the same


def test_doctor_says_what_to_install_where_there_is_no_client(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    client._load.cache_clear()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "sky", None)
        said = bench.say("doctor")
    assert said.code == 3
    assert "pip install 'rollbook[sky]'" in said.out


def test_leaks_are_ours_that_no_record_explains(bench: Bench) -> None:
    bench.launched()
    assert bench.say("doctor", "--leaks").code == 0
    orphan = bench.add("rffffffffffff-a1-01234567")
    trial = bench.add("rffffffffffff-try-01234567")
    bench.add("rffffffffffff-a1-76543210", "SUCCEEDED")
    bench.add("somebody-elses")
    bench.sky.clusters["rffffffffffff-a2-01234567"] = Cluster("rffffffffffff-a2-01234567")
    said = bench.say("doctor", "--leaks", "--json")
    document = said.json
    assert said.code == 6
    assert {leak["remove"] for leak in document["leaks"]} == {
        f"sky jobs cancel {orphan.id}",
        f"sky jobs cancel {trial.id}",
        "sky down rffffffffffff-a2-01234567",
    }
    assert document["strangers"] == 1


def test_a_run_that_has_ended_explains_no_job_that_goes_on(bench: Bench) -> None:
    run_id, job = bench.launched()
    ended = {"state": "ended", "outcome": "lost", "ended_at": "2026-01-01T01:00:00Z"}
    bench.registry.advance(run_id, **ended)
    said = bench.say("doctor", "--leaks")
    assert said.code == 6
    assert f"managed job {job.id} is RUNNING" in said.out


def test_a_run_that_has_just_ended_explains_the_job_whose_machines_are_given_back(
    bench: Bench,
) -> None:
    run_id, _ = bench.launched()
    bench.registry.advance(run_id, state="ended", outcome="cancelled", ended_at=_ago(minutes=9))
    assert bench.say("doctor", "--leaks").code == 0
    bench.registry.advance(run_id, ended_at=_ago(minutes=11))
    assert bench.say("doctor", "--leaks").code == 6


def _ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_cluster_that_a_spec_keeps_is_explained_after_the_end(bench: Bench) -> None:
    keeps = SPEC.replace("[{infra: slurm/virtual}, {infra: gcp}]", "[{infra: gcp}]")
    bench.registry.commit(x=f"{keeps}  keep_cluster: 2h\n")
    run_id, _ = bench.launched("SUCCEEDED")
    name = job_name(run_id, "a1", NONCE)
    bench.sky.clusters[name] = Cluster(name)
    ended = {"state": "ended", "outcome": "succeeded", "ended_at": "2026-01-01T01:00:00Z"}
    bench.registry.advance(run_id, job=f"cluster-{name}-1", **ended)
    assert bench.say("doctor", "--leaks").code == 0
    bench.sky.clusters[f"{name[:-1]}z"] = Cluster(f"{name[:-1]}z")  # no name of ours
    assert "besides, 1 job or cluster of others" in bench.say("doctor", "--leaks").err


# status, logs


def test_status_says_what_is_waited_for_since_when_and_what_is_next(bench: Bench) -> None:
    run_id, _ = bench.launched("STARTING")
    waits = {"state": "waiting", "waiting_since": "2026-01-01T10:00:00Z"}
    bench.registry.advance(run_id, **waits, reason="for a machine on slurm/virtual")
    said = bench.say("status")
    assert "for a machine on slurm/virtual; next gcp from 10:30 UTC" in said.out
    assert "COST" not in said.out
    bench.registry.advance(run_id, cost_usd=12.5)
    assert re.search(r"COST.*\n.* \$12\.50 ", bench.say("status").out)


def test_logs_show_the_launcher_until_the_trainer_speaks(bench: Bench) -> None:
    run_id, job = bench.launched("STARTING")
    job.log = "looking for a machine\n"
    before = bench.say("logs", "x")
    assert before.out == "launcher | looking for a machine\n"
    assert "nothing of its trainer yet" in before.err
    store = open_run_store(bench.registry.workspace, run_id)
    store.put(f"a1/epoch-1/{TRAINER_LOG}", b"step 1\n")
    assert bench.say("logs", "x").out == "step 1\n"
    assert bench.say("logs", "x", "--launcher-log").out == "launcher | looking for a machine\n"


def test_logs_of_a_job_on_a_kept_cluster_are_the_clusters(bench: Bench) -> None:
    run_id, _ = bench.launched()
    name = job_name(run_id, "a1", NONCE)
    job = Job(1, name, {}, "SETTING_UP", log="making environments\n")
    bench.sky.clusters[name] = Cluster(name, jobs={1: job})
    bench.registry.advance(run_id, job=f"cluster-{name}-1")
    assert bench.say("logs", "x").out == "launcher | making environments\n"


def test_logs_of_a_run_that_never_came_to_train_are_those_that_were_kept(bench: Bench) -> None:
    run_id, _ = bench.launched("FAILED_SETUP")
    ended = {"state": "ended", "outcome": "lost", "ended_at": "2026-01-01T01:00:00Z"}
    bench.registry.advance(run_id, **ended)
    store = open_run_store(bench.registry.workspace, run_id)
    store.put(f"a1/{LAUNCHER_LOG}", b"pip: no such package\n")
    assert bench.say("logs", "x").out == "launcher | pip: no such package\n"


def test_watching_ends_when_nothing_goes_on(bench: Bench) -> None:
    run_id, _ = bench.launched("SUCCEEDED")
    ended = {"state": "ended", "outcome": "succeeded", "ended_at": "2026-01-01T01:00:00Z"}
    bench.registry.advance(run_id, **ended)
    said = bench.say("status", "--watch")
    assert said.code == 0
    assert said.out.count("✅ succeeded") == 1


# try


def test_a_trial_names_its_machines_and_what_they_cost_at_most(bench: Bench) -> None:
    machines = SPEC.partition("resources:")[0] + (
        "resources: {accelerators: 'H100:8', nodes: 2, candidates: [{infra: nebius}]}\n"
    )
    bench.registry.commit(y=machines)
    whole = bench.say("try", "y")
    assert (whole.code, bench.sky.jobs) == (1, {})
    assert "2 nodes with H100:8 on nebius, at most 1 h, $47" in whole.err
    one = bench.say("try", "y", "--gpus", "1")
    assert "H100:1 on nebius, at most 1 h, $3\n" in one.err


# ssh, open


def test_a_shell_on_a_kept_cluster_is_ssh(bench: Bench, calls: list[list[str]]) -> None:
    run_id, _ = bench.launched()
    name = job_name(run_id, "a1", NONCE)
    bench.registry.advance(run_id, job=f"cluster-{name}-1")
    assert bench.say("ssh", "x").code == 0
    assert calls[0][-2:] == ["status", name]
    assert calls[1] == ["ssh", name]


@pytest.mark.parametrize(
    ("infra", "program", "words"),
    [
        ({"cloud": "Kubernetes", "region": "pool"}, "kubectl", ["--context pool", "-head"]),
        ({"cloud": "Slurm", "region": "virtual"}, "ssh", ["virtual", "srun --jobid=$(squeue"]),
        ({"cloud": "GCP", "region": "us-central1"}, "ssh", []),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_shell_of_a_managed_job_is_had_the_schedulers_way(
    bench: Bench, calls: list[list[str]], infra: dict[str, str], program: str, words: list[str]
) -> None:
    _, job = bench.launched(**infra)
    logins = Path("~/.slurm/config").expanduser()
    logins.parent.mkdir()
    logins.write_text("Host virtual\n")
    assert bench.say("ssh", "x").code == 0
    assert calls[-1][0] == program
    assert all(word in " ".join(calls[-1]) for word in words)
    if infra["cloud"] == "GCP":  # SkyPilot tells nobody of its own clusters but who asks for more
        assert calls[0][:2] == ["env", "SKYPILOT_DEBUG=1"]
        assert calls[0][-1] == calls[-1][-1] == f"{job.name}-{job.id}"


def test_there_is_no_shell_before_machines_nor_after_the_end(bench: Bench) -> None:
    run_id, _ = bench.launched("STARTING")
    waiting = bench.say("ssh", "x")
    assert waiting.code == 1
    assert "has no machines now: waiting for" in waiting.err
    ended = {"state": "ended", "outcome": "lost", "ended_at": "2026-01-01T01:00:00Z"}
    bench.registry.advance(run_id, **ended)
    over = bench.say("ssh", "x")
    assert over.code == 1
    assert "has ended, and its machines are gone" in over.err
    assert f"runner logs {run_id}" in over.err


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands of others that would have been called; all are there, and succeed."""
    called: list[list[str]] = []

    def record(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        called.append(list(command))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(reach, "_call", record)
    monkeypatch.setattr(reach.shutil, "which", lambda name: f"/usr/bin/{name}")
    return called


def test_open_prints_the_pages_where_there_is_no_browser(bench: Bench) -> None:
    _, job = bench.launched(cloud="Kubernetes", region="pool")
    said = bench.say("open", "x")
    assert said.code == 0
    assert f"skypilot  {bench.sky.url}/dashboard/jobs/{job.id}\n" in said.out
    assert "kubectl --context pool port-forward pod/" in said.out
    only = bench.say("open", "x", "skypilot", "--print")
    assert only.out == f"skypilot  {bench.sky.url}/dashboard/jobs/{job.id}\n"
    none = bench.say("open", "x", "wandb")
    assert none.code == 1
    assert "has no wandb; it has: skypilot, ray" in none.err
