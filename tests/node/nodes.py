"""Node programs of several nodes, as processes on the loopback addresses of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from node_values import make_spec

from runner.node import job
from runner.node.task import Evidence, Limits, NodeTask, Result
from runner.storage.store import RunStore

PROGRAM = """\
import os, sys, time
from runner.__main__ import run
from runner.node import companion, patience, program, ranks, shards
ranks.MEETING_SECONDS = float(sys.argv[2])
program.LAST_SECONDS = patience.STORE_PATIENCE = float(sys.argv[3])
program.BEAT_SECONDS = companion.BEAT_SECONDS = shards.SETTLE_SECONDS = 0.2
if "SLOW" in os.environ:
    prepare = program.prepare
    program.prepare = lambda *given: (time.sleep(30), prepare(*given))[1]
if sys.argv[4] == "apart":
    companion.SHARED = ".as if the disk were another node's"
sys.exit(run(["node", sys.argv[1]]))
"""
KEY = "the key of this submission"
IPS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Nodes:
    """A run on several nodes: with disks of their own, or one that they share."""

    def __init__(self, folder: Path, count: int = 2, *, shared: bool = False) -> None:
        self.folder, self.count = folder, count
        self.disk = "shared" if shared else "apart"
        self.store = RunStore(str(folder / "store"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.train_python = sys.executable
        # A socket's path has at most 107 characters: pytest's own folder leaves too few.
        self.temporary = Path(tempfile.mkdtemp(prefix="rbt-", dir="/tmp"))
        self.files: dict[str, Path] = {}
        """What else of the repository a run needs, by its path there."""

    def home(self, rank: int, attempt: str = "a1") -> Path:
        """Return the folder of one node's start, as the start script of a bundle makes it."""
        # Below a folder of its own for each: no two nodes have the same path.
        return self.folder / f"{attempt}-start-{rank}" / f"r{self.folder.name}-{attempt}"

    def write(self, rank: int, attempt: str, script: str, **changes: Any) -> Path:
        """Lay out one node's code and task."""
        home = self.home(rank, attempt)
        (home / "code").mkdir(parents=True, exist_ok=True)
        (home / "code" / "train.py").write_text(script)
        (home / "code" / "reward.py").write_text(
            "def compute_score(source, answer, truth, info):\n    return float(answer == truth)\n"
        )
        for name, source in self.files.items():
            target = home / "code" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        content = {
            "resources": {"nodes": self.count},
            "training": {
                "steps": 4,
                "prompts_per_step": 1,
                "learning_rate": 0.1,
                "save_every": 1,
            },
            "checkpoints": {"export": "none"},
            **changes.pop("spec", {}),
        }
        task = NodeTask(
            **{
                "run_id": "abcd00000000",
                "attempt": attempt,
                "job": home.name,
                "nonce": attempt,
                "experiment": "demo",
                "seed": 7,
                "spec": make_spec(**content),
                "steps": 4,
                "commit": "",
                "code": "code",
                "store": self.store.url(),
                "scratch": "scratch",
                "train_python": self.train_python,
                "data_remote": str(self.folder / "data"),
                "checkpoint_remote": str(self.folder / "exports"),
                "limits": Limits(seconds=120),
                **changes,
            }
        )
        (home / job.TASK).write_text(task.model_dump_json(by_alias=True))
        return home / job.TASK

    def start(
        self,
        script: str,
        attempt: str = "a1",
        *,
        ranks: tuple[int, ...] | None = None,
        meeting: float = 30,
        patience: float = 30,
        key: str = KEY,
        environment: dict[str, str] | None = None,
        **changes: Any,
    ) -> list[subprocess.Popen[bytes]]:
        """Start the node programs of `ranks`, all by default."""
        started = []
        for rank in range(self.count) if ranks is None else ranks:
            task = self.write(rank, attempt, script, **changes)
            told = {
                **os.environ,
                "SKYPILOT_NODE_RANK": str(rank),
                "SKYPILOT_NODE_IPS": "\n".join(IPS[: self.count]),
                "SKYPILOT_NUM_NODES": str(self.count),
                "ROLLBOOK_RANKS_KEY": key,
                "TMPDIR": str(self.temporary),
                "BARRIER": str(self.folder / f"barrier-{attempt}"),
                **(environment or {}),
            }
            command = [
                sys.executable,
                "-c",
                PROGRAM,
                str(task),
                str(meeting),
                str(patience),
                self.disk,
            ]
            with (task.parent.parent / "said.txt").open("wb") as log:
                process = subprocess.Popen(command, env=told, stdout=log, stderr=subprocess.STDOUT)
            self.processes.append(process)
            started.append(process)
        return started

    def run(self, script: str, attempt: str = "a1", **options: Any) -> list[int]:
        """Start all nodes, and return their exit codes."""
        return self.codes(self.start(script, attempt, **options))

    def codes(self, processes: list[subprocess.Popen[bytes]], seconds: float = 300) -> list[int]:
        """Wait for the programs, and return their exit codes."""
        deadline = time.monotonic() + seconds
        return [process.wait(max(0.1, deadline - time.monotonic())) for process in processes]

    def said(self, rank: int, attempt: str = "a1") -> str:
        """Return what a node program itself wrote."""
        return (self.home(rank, attempt).parent / "said.txt").read_text()

    def read(self, name: str, attempt: str = "a1", epoch: int = 1) -> str:
        """Return a file of the attempt in the store."""
        return (self.store.get(f"{attempt}/epoch-{epoch}/{name}") or b"").decode()

    def result(self, attempt: str = "a1") -> Result:
        """Return the node's last word."""
        return Result.model_validate_json(self.read("result.json", attempt))

    def evidence(self, attempt: str = "a1") -> Evidence:
        """Return what was found."""
        return Evidence.model_validate_json(self.read("evidence.json", attempt))

    def until(self, name: str, text: str, seconds: float = 60) -> None:
        """Wait until a file of the first attempt in the store has `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.read(name):
            assert time.monotonic() < deadline, (text, self.read(name), self.said(0))
            time.sleep(0.1)

    def left(self) -> list[str]:
        """Return what is left of processes and temporary folders."""
        names = [job.name_on(self.home(0).name, rank) for rank in range(self.count)]
        processes = [str(one) for name in names for one in job.marked_processes(name)]
        return processes + [path.name for path in self.temporary.glob("rb-*")]

    def close(self) -> None:
        """Kill what a failed test has left."""
        for process in self.processes:
            process.kill()
            process.wait()
        for attempt in ("a1", "a2"):
            for rank in range(self.count):
                name = job.name_on(self.home(0, attempt).name, rank)
                for one in job.marked_processes(name):
                    one.kill()
        shutil.rmtree(self.temporary, ignore_errors=True)
