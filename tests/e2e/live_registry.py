"""A registry as a team has it: a bare origin, a clone, and the installed `runner` as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil
from real_git import write_files
from typed_command import Answer

TRAINER = Path(__file__).with_name("tiny_trainer.py")
REWARD = """\
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    return float(solution_str == ground_truth)
"""
DEADLINE = 150.0
"""Seconds for one command; a run takes a few."""

T = TypeVar("T")


def wait_until(what: str, look: Callable[[], T], seconds: float = 60.0) -> T:
    """Return what `look` gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def script_spec(*arguments: object, steps: int = 8, more: str = "", training: str = "") -> str:
    """Return the text of a spec whose command is the tiny trainer with `arguments`."""
    command = json.dumps(["python", "train.py", *map(str, arguments)])
    return (
        "apiVersion: rollbook/v1\ntrainer: script\n"
        f"script: {{command: {command}, files: [train.py]}}\n"
        f"training: {{steps: {steps}, prompts_per_step: 1, learning_rate: 1e-3{training}}}\n{more}"
    )


class LiveRegistry:
    """One clone of a registry whose default branch is at a bare origin."""

    def __init__(self, root: Path, origin: Path, home: Path) -> None:
        self.root, self.origin = root, origin
        self._started: list[subprocess.Popen[str]] = []
        kept = ("PATH", "LANG", "LC_ALL", "TMPDIR")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment |= {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "COLUMNS": "80",
        }

    # Processes

    def execute(self, *command: str, cwd: Path | None = None, **environment: str) -> Answer:
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env={**self.environment, **environment},
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def runner(self, *arguments: str, **environment: str) -> Answer:
        return self.execute(sys.executable, "-m", "runner", *arguments, **environment)

    def succeed(self, *arguments: str, **environment: str) -> Answer:
        answer = self.runner(*arguments, **environment)
        assert answer.code == 0, answer
        return answer

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            # A shell's background jobs ignore interrupts, and their children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        answer = self.execute("git", *arguments, cwd=cwd)
        assert answer.code == 0, answer
        return answer.out.rstrip("\n")

    # Specs

    def merge(self, files: Mapping[str, str | bytes]) -> str:
        """Commit `files` on the default branch and push; names without a suffix are specs."""
        paths = {
            name if "." in name else f"experiments/{name}.yaml": content
            for name, content in files.items()
        }
        write_files(self.root, paths)
        self.git("add", "--", *paths)
        self.git("commit", "--quiet", "--message", "change")
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def clone(self, name: str) -> LiveRegistry:
        """Return another person's clone."""
        folder = self.root.with_name(name)
        self.git("clone", "--quiet", str(self.origin), str(folder), cwd=self.root.parent)
        return LiveRegistry(folder, self.origin, Path(self.environment["HOME"]))

    # What is on record

    def ledger_commits(self) -> list[str]:
        return self.git("log", "--format=%s", "runs", cwd=self.origin).splitlines()

    def ledger_files(self) -> list[str]:
        listing = self.git("ls-tree", "-r", "--name-only", "runs", cwd=self.origin)
        return listing.splitlines()

    def ledger(self, path: str) -> str:
        return self.git("show", f"runs:{path}", cwd=self.origin)

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        index = json.loads(self.ledger(f"experiments/{experiment}/index.json"))
        return [self.record(run_id) for run_id in index["runs"]]

    def record(self, run_id: str) -> dict[str, Any]:
        found = json.loads(self.ledger(f"runs/{run_id[:2]}/{run_id}/record.json"))
        assert isinstance(found, dict)
        return found

    def run(self, experiment: str) -> dict[str, Any]:
        [record] = self.runs(experiment)
        return record

    def attempt(self, experiment: str) -> dict[str, Any]:
        attempt = self.run(experiment)["attempts"][-1]
        assert isinstance(attempt, dict)
        return attempt

    def store(self, experiment: str, attempt: str = "a1", epoch: int = 1) -> Path:
        run_id = self.run(experiment)["run_id"]
        return self.run_store / run_id[:2] / run_id / attempt / f"epoch-{epoch}"

    @property
    def run_store(self) -> Path:
        return self.root / ".rollbook" / "store" / "runs"

    def heartbeat(self, experiment: str, attempt: str = "a1") -> dict[str, Any]:
        path = self.store(experiment, attempt) / "heartbeat.json"
        return dict(json.loads(path.read_text())) if path.exists() else {"step": 0, "phase": ""}

    def await_step(self, experiment: str, step: int, attempt: str = "a1") -> None:
        def reached() -> bool:
            return bool(self.heartbeat(experiment, attempt)["step"] >= step)

        wait_until(f"{experiment} at step {step}", reached)

    # Jobs

    @property
    def jobs(self) -> list[str]:
        """Names of all jobs that were ever submitted here."""
        folder = self.root / ".rollbook" / "local"
        return sorted(path.parent.name for path in folder.glob("*/task.json"))

    def processes(self, job: str | None = None) -> list[psutil.Process]:
        """Return the living processes of one job, or of all jobs of this clone."""
        wanted = {job} if job else set(self.jobs)
        return [process for process in psutil.process_iter() if _marker(process) in wanted]

    def node_program(self, job: str) -> psutil.Process:
        about = json.loads((self.root / ".rollbook/local" / job / "process.json").read_text())
        return psutil.Process(about["pid"])

    def scratch_folders(self) -> list[str]:
        folder = self.root / ".rollbook" / "scratch"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def end_everything(self) -> None:
        for started in self._started:
            with started:
                started.kill()
        found = self.processes()
        for process in found:
            process.kill()
        psutil.wait_procs(found, timeout=10)


def _marker(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get("ROLLBOOK_JOB")
    except (psutil.Error, OSError):
        return None


def make_template(folder: Path, git_config: str) -> None:
    """Make a registry with its origin below `folder`, to be copied."""
    home = folder / "home"
    write_files(home, {".gitconfig": git_config})
    root, origin = folder / "clone", folder / "origin.git"
    registry = LiveRegistry(root, origin, home)
    registry.git("init", "--quiet", "--bare", str(origin), cwd=folder)
    registry.git("clone", "--quiet", str(origin), str(root), cwd=folder)
    registry.succeed("init")
    registry.git("add", "--all")
    registry.merge({"train.py": TRAINER.read_text(), "reward/exact.py": REWARD})


def copy_template(template: Path, folder: Path) -> LiveRegistry:
    """Return a registry of its own, with the lineage of `template`."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    registry = LiveRegistry(folder / "clone", folder / "origin.git", folder / "home")
    registry.git("remote", "set-url", "origin", str(registry.origin))
    return registry
