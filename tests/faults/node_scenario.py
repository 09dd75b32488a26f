"""One run of a registry, whose node program dies somewhere, and what follows as in production.

The registry, its ledger, the launcher on this machine, `apply`, `sync` and `retry`, the node
program, its trainer and DVC are the real ones. A recovered job is played: `RecoveringLauncher`
starts the node program again on what looks like a fresh machine, under the same number, as SkyPilot
does.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from node_effects import Point, points_of
from node_forks import EXIT, NOTES, POINT, ROOT, NodeForks
from real_git import commit_files, git
from scripted_launcher import ScriptedLauncher

from runner.__main__ import run
from runner.apply import apply
from runner.forges.none import NoForge
from runner.launchers import local
from runner.launchers.base import JobStatus
from runner.launchers.local import LocalLauncher
from runner.launching.tasks import dvc_remote_url
from runner.ledger.record import Attempt, RunRecord
from runner.node import job
from runner.node.checkpoints import complete, fetch
from runner.node.task import EXIT_OUTSIDE, Evidence, NodeTask, Result
from runner.retry import retry
from runner.storage.runfolder import AttemptFolder, measured_curves, open_run_store
from runner.storage.store import RunStore
from runner.sync import sync
from runner.workspace import Workspace, open_workspace

STEPS = 4
TRAINER = """\
# Notes every start, and whether another trainer of this run lives: that must never be.
import fcntl, json, os, sys, time
from pathlib import Path

steps, pause = int(os.environ["ROLLBOOK_STEPS"]), 0.12
checkpoints, here = Path(os.environ["ROLLBOOK_CHECKPOINTS"]), Path(os.environ["HOME"])
alone = (here / "training").open("a")
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    (here / "two at once").touch()
    sys.exit(1)
first = max((int(path.name[5:]) for path in checkpoints.glob("step-*")), default=0)
if first:
    for name in ("weights.bin", "optimizer.bin"):
        assert set((checkpoints / f"step-{first}" / name).read_bytes()) == {first}
with (here / "starts").open("a") as starts:
    starts.write(f"{os.environ['ROLLBOOK_JOB']} {first}\\n")
while (here / "hold").exists():
    time.sleep(0.02)
with Path(os.environ["ROLLBOOK_METRICS"]).open("a") as metrics:
    for step in range(first + 1, steps + 1):
        row = {"step": step, "reward/mean": step / 10, "train/loss": 1 / step}
        metrics.write(json.dumps(row) + "\\n")
        metrics.flush()
        if step % 2 == 0:
            partial = checkpoints / f"partial-{step}"
            partial.mkdir()
            (partial / "weights.bin").write_bytes(bytes([step]) * 100)
            (partial / "optimizer.bin").write_bytes(bytes([step]) * 200)
            partial.rename(checkpoints / f"step-{step}")
        time.sleep(pause)
"""
SPEC = f"""\
apiVersion: rollbook/v1
trainer: script
script: {{command: [python, train.py], files: [train.py]}}
training: {{steps: {STEPS}, prompts_per_step: 1, learning_rate: 1.0e-3, save_every: 2}}
"""
SETTINGS = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\nledger: {{remote: null}}\n"
DEADLINE = 60.0
_SIDE_BY_SIDE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class Places(NamedTuple):
    """Where a registry keeps what its runs leave."""

    run_store: str
    exports: str


def make_registry(folder: Path, places: Places) -> Workspace:
    """Make a registry with one experiment, `demo`, in `folder`."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet")
    remotes = "".join(
        f"['remote \"{name}\"']\n    url = {places.exports}\n" for name in ("data", "checkpoints")
    )
    files = {
        "registry.yaml": f"{SETTINGS}run_store: {places.run_store}\n",
        ".gitignore": "/.rollbook/\n",
        ".dvc/config": remotes,
        "train.py": TRAINER,
        "experiments/demo.yaml": SPEC,
    }
    commit_files(folder, files)
    workspace = open_workspace(folder)
    workspace.ledger.create()
    return workspace


class _Forked:
    """What the local launcher keeps of a process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None if is_alive(self.pid) else 0

    def kill(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(self.pid).kill()


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Starter:
    """Starts node programs, the next of them with a death before it."""

    def __init__(self, forks: NodeForks, folder: Path) -> None:
        self._forks, self._folder = forks, folder
        self.home = folder / "home"
        self.home.mkdir()
        self.temporary = Path(tempfile.mkdtemp(prefix="rbn-", dir="/tmp"))
        self.notes = folder / "notes"
        self.point: Point | None = None
        self.pids: list[int] = []
        self.more: dict[str, str] = {}

    def start(
        self, folder: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> int:
        told = {**environment, **self.more, "HOME": str(self.home), "TMPDIR": str(self.temporary)}
        for name in os.environ:
            if name.startswith("AWS_"):
                told[name] = os.environ[name]
        told |= {ROOT: str(self._folder), NOTES: str(self.notes)}
        told |= {POINT: json.dumps(self.point)} if self.point else {}
        self.point = None
        pid = self._forks.start(folder, told, arguments)
        self.pids.append(pid)
        return pid

    def end(self) -> None:
        for pid in self.pids:
            if is_alive(pid):
                psutil.Process(pid).kill()
        shutil.rmtree(self.temporary, ignore_errors=True)

    def popen(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], **_: Any
    ) -> _Forked:
        """Stand for subprocess.Popen in the local launcher."""
        arguments = command[command.index(str(cwd / job.TASK)) + 1 :]
        return _Forked(self.start(cwd, env, arguments))


class RecoveringLauncher(ScriptedLauncher):
    """Starts a job again, on a fresh machine and under the same number, whose machine died."""

    def __init__(self, starter: Starter, folder: Path) -> None:
        super().__init__()
        self._starter, self._folder = starter, folder
        self._machines: list[Path] = []
        self._task: NodeTask | None = None

    def submit(self, task: NodeTask) -> str:
        limits = task.limits.model_copy(update={"preemptions": 5})
        self._task = task.model_copy(update={"limits": limits})
        self.statuses[f"job-{task.job}"] = JobStatus("running")
        self._start(task.job)
        return f"job-{task.job}"

    def _start(self, name: str) -> None:
        assert self._task is not None
        folder = self._folder / f"machine-{len(self._machines)}" / name
        folder.mkdir(parents=True)
        task = self._task.model_copy(update={"scratch": str(folder / "scratch")})
        (folder / job.TASK).write_text(task.model_dump_json(by_alias=True))
        told = {
            "PATH": os.environ["PATH"],
            "SKYPILOT_MANAGED_JOB_ID": "7",
            "SKYPILOT_TASK_ID": "sky-managed-2026-01-01_demo_7-0",
            "RUNNER_TRAIN_PYTHON": sys.executable,
        }
        self._machines.append(folder)
        self._starter.start(folder, told)

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        return {name: self._poll(name) for name in jobs}

    def _poll(self, name: str) -> JobStatus:
        if is_alive(self._starter.pids[-1]):
            return JobStatus("running", recoveries=len(self._machines) - 1)
        if (self._machines[-1] / EXIT).exists():
            return JobStatus("ended")
        self._start(self._machines[-1].name)
        return JobStatus("waiting", "recovering", recoveries=len(self._machines) - 1)


class Answer(NamedTuple):
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


class Scenario:
    """One run from its merge to its end, with a death of its node on the way."""

    def __init__(self, folder: Path, forks: NodeForks, places: Places, how: str) -> None:
        """`how` is `local` (sync and retry) or `recovered` (started again by its launcher)."""
        self.folder, self.how = folder, how
        self.fault = ""
        """What a node may say of a fault outside of its run; nothing by default."""
        self.workspace = make_registry(folder / "registry", places)
        self.starter = Starter(forks, folder)
        self.exports = RunStore(dvc_remote_url(self.workspace, "checkpoints"))
        self.launcher: Any = (
            LocalLauncher(self.workspace.state)
            if how == "local"
            else RecoveringLauncher(self.starter, folder)
        )

    def close(self) -> None:
        """End what a failed test has left."""
        self.starter.end()

    def fork_nodes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the local launcher start node programs in a moment."""
        stand_in = type("_", (), {**vars(local.subprocess), "Popen": self.starter.popen})
        monkeypatch.setattr(local, "subprocess", stand_in)

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fork_nodes(monkeypatch)
        [launched] = apply(self.workspace, self.launcher, NoForge()).launched
        # A node that died before it said that it lives is a claim that the next apply submits.
        if launched.error:
            [launched] = apply(self.workspace, self.launcher, NoForge()).launched
        assert not launched.error, launched.error

    def sync(self) -> Attempt:
        sync(self.workspace, self.launcher, NoForge())
        return self.record.latest

    def retry(self) -> None:
        retried = retry(self.workspace, self.launcher, "demo")
        if retried.launched[0].error:
            apply(self.workspace, self.launcher, NoForge())

    @property
    def record(self) -> RunRecord:
        return self.workspace.ledger.fetch().find("demo")

    @property
    def store(self) -> RunStore:
        return open_run_store(self.workspace, self.record.run_id)

    @property
    def points(self) -> list[Point]:
        return points_of(self.starter.notes)

    def runner(self, command: str) -> Answer:
        """Call the command line in the registry's folder."""
        out, err = io.StringIO(), io.StringIO()
        told = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with contextlib.chdir(self.workspace.root), told[0], told[1]:
            code = run(command.split())
        return Answer(code, out.getvalue(), err.getvalue())

    def hold(self) -> None:
        """Have the trainer wait before its first step."""
        (self.starter.home / "hold").touch()

    def let_go(self) -> None:
        (self.starter.home / "hold").unlink()

    def wait_for_trainer(self) -> None:
        """Wait until the trainer has started, and the node says so."""
        starts = self.starter.home / "starts"
        self.wait(lambda: starts.exists() and self.phase() == "training", "the training")

    def phase(self) -> str:
        beat = AttemptFolder(self.store, "a1").heartbeat()
        return beat.phase if beat else ""

    def wait_for_node(self) -> None:
        self.wait(lambda: not is_alive(self.starter.pids[-1]), "the node program's end")

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not reached():
            assert time.monotonic() < deadline, f"{what} did not come\n{self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return "".join(
            path.read_text() for path in sorted(self.folder.rglob("node.log")) if path.is_file()
        )

    def to_the_end(self) -> RunRecord:
        """Do what people and their schedules do until the run has succeeded."""
        for _ in range(3):
            self.wait_for_node()
            self.check()
            attempt = self.sync()
            while attempt.state != "ended":
                self.wait_for_node()
                self.check()
                attempt = self.sync()
            self.check()
            if attempt.outcome == "succeeded":
                break
            self.retry()
        return self.record

    # What must be true at any moment

    def check(self) -> None:
        """Nothing that is there is half there, and the ledger says nothing that is not so."""
        store, record = self.store, self.record
        assert not (self.starter.home / "two at once").exists()
        for name in store.list():
            content = store.get(name) or b""
            if name.endswith("/result.json"):
                result = Result.model_validate_json(content)
                if result.exit_code == EXIT_OUTSIDE:
                    assert self.fault in result.error
                    assert self.fault
                    continue
                # Whoever sees a result finds all the rest.
                evidence = store.get(name.replace("result", "evidence"))
                Evidence.model_validate_json(evidence or b"")
            elif name.endswith(".json"):
                json.loads(content)
        for checkpoint in complete(store):
            with tempfile.TemporaryDirectory() as folder:
                fault = fetch(store, checkpoint, Path(folder) / "checkpoint")
            assert not fault, f"{checkpoint}: {fault}"
        if record.latest.checkpoint:
            self.check_export(record.latest.checkpoint.removeprefix("md5:"))

    def check_export(self, md5: str) -> None:
        """What the ledger names is in the remote, file by file, with the content of its name."""
        for file in json.loads(self._exported(md5)):
            self._exported(file["md5"])

    def _exported(self, md5: str) -> bytes:
        content = self.exports.get(f"files/md5/{md5[:2]}/{md5[2:]}")
        assert content is not None, f"the ledger names {md5}, and the remote lacks it"
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert found == md5.removesuffix(".dir"), f"{md5} is not what its name says: {content!r}"
        return content

    def check_end(self) -> None:
        """The run has succeeded, with all its steps once and its export kept."""
        record = self.record
        latest = record.latest
        assert (latest.state, latest.outcome) == ("ended", "succeeded"), latest.reason
        assert (latest.step, latest.steps) == (STEPS, STEPS)
        assert latest.checkpoint
        curves = measured_curves(self.workspace, record)
        for name in ("reward/mean", "train/loss"):
            assert curves.by_name[name].steps == tuple(range(1, STEPS + 1)), name
        assert curves.by_name["reward/mean"].values == (0.1, 0.2, 0.3, 0.4)
        assert latest.metrics["reward/mean"] == 0.4
        assert not job.marked_processes(latest.job or "")
