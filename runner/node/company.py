"""The other nodes of a run, as the story of rank 0 needs them; with one node nothing happens."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from runner.errors import OutsideError
from runner.node import ranks, ray
from runner.node.cpu import INSIDE
from runner.node.evidence import versions
from runner.node.line import free_port
from runner.node.prepare import DOWNLOAD_DEADLINE, Prepared
from runner.node.ranks import Fellows, Message, Ranks, meet, variables
from runner.node.rewards import merged
from runner.node.stopping import interrupt
from runner.node.task import NodeTask, RewardSummary

SHARED = ".rank-0"
"""In rank 0's scratch folder: who finds it there has the same disk."""
LAST_SECONDS = 60.0
"""For the commands on the other nodes to end after that of rank 0."""
ANSWER_SECONDS = 60.0


class Company:
    """All other ranks of a job."""

    def __init__(self, own: Ranks, task: NodeTask, say: Callable[[str], None]) -> None:
        """Be rank 0 of `task`; `say` adds a line to the log."""
        self._own, self._task, self._say = own, task, say
        self._rewards: dict[int, RewardSummary] = {}
        self._exits: dict[int, int] = {}
        self.fellows = Fellows(own, {}, interrupt)

    def meet(self, prefix: str) -> None:
        """Wait for all others, and tell them where the run writes: below `prefix` in its store.

        Raises OutsideError when one is missing, or is not what was planned.
        """
        if self._own.nodes == 1:
            return
        patience = ranks.MEETING_SECONDS
        self.fellows, told = meet(self._own, self._task.job, interrupt, patience)
        self._check({0: about_this_node(self._task), **told})
        scratch = Path(self._task.scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        token = secrets.token_hex(8)
        (scratch / SHARED).write_text(token)
        places = {"code": self._task.code, "scratch": str(scratch), "inside": str(INSIDE)}
        self.fellows.tell("welcome", prefix=prefix, token=token, **places)

    def _check(self, told: dict[int, Message]) -> None:
        """Refuse a node that is missing, lacks GPUs or has other versions, while it is cheap."""
        if missing := [self._own.name(n) for n in range(self._own.nodes) if n not in told]:
            verb = "has" if len(missing) == 1 else "have"
            within = f"within {ranks.MEETING_SECONDS:.0f} s"
            raise OutsideError(f"{', '.join(missing)} {verb} not joined {within}")
        planned = self._task.spec.resources.gpus_per_node
        for rank, about in told.items():
            name, gpus = self._own.name(rank), about["gpus"]
            if gpus is not None and gpus < planned:
                raise OutsideError(f"{name} has {gpus} GPUs, planned {planned}")
            if not about["versions"]:
                raise OutsideError(f"the training environment's Python does not run on {name}")
            for package, version in told[0]["versions"].items():
                if (other := about["versions"].get(package, "none")) != version:
                    raise OutsideError(
                        f"{name} has {package} {other}, node 0 has {version}",
                        cure="give all nodes one image or one lock, then runner retry",
                    )

    def prepared(self, prepared: Prepared) -> None:
        """Tell what rank 0 goes on from, and wait until all are as ready as it is."""
        self.fellows.tell("prepared", resumed=prepared.resumed, steps=prepared.steps)
        self.fellows.gather("ready", DOWNLOAD_DEADLINE)

    def join_ray(
        self, python: str, address: str, environment: dict[str, str], devices: int
    ) -> None:
        """Have all nodes join the Ray at `address`, and wait until it has them with `devices`."""
        if self._own.nodes > 1:
            self.fellows.tell("ray", address=address)
            ray.await_nodes(python, address, environment, self._own.ips, devices)

    def train(self, prepared: Prepared) -> dict[str, str]:
        """Have the command start on all nodes that run it; return what it is told on this one."""
        if prepared.trainer.starts_on(prepared.run) == "first":
            return {}
        port = free_port(self._own.ip)
        self.fellows.tell("train", port=port)
        return variables(self._own, port)

    def rewards(self) -> RewardSummary:
        """Return the calls of the reward function on the other nodes so far."""
        for rank, message in self.fellows.taken("rewards"):
            try:
                self._rewards[rank] = RewardSummary.model_validate(message["summary"])
            except ValidationError as error:  # all nodes have the same runner
                raise OutsideError(f"{self._own.name(rank)} tells no rewards: {error}") from error
        total = RewardSummary()
        for summary in self._rewards.values():
            total = merged(total, summary)
        return total

    def is_leaving(self) -> bool:
        """Whether another node was asked to stop, such as before its machine is taken away."""
        names = [self._own.name(rank) for rank, _ in self.fellows.taken("leaving")]
        for name in names:
            self._say(f"{name} was asked to stop by a signal")
        return bool(names)

    def failure(self) -> int:
        """Return the exit code of a command that has failed on another node; 0 for none."""
        for rank, message in self.fellows.taken("exited"):
            self._exits[rank] = int(message["exit_code"])
            self._say(f"the command on {self._own.name(rank)} ended: {message['exit_code']}")
        return next((code for code in self._exits.values() if code), 0)

    def finish(self, *, seconds: float, grace: float) -> int:
        """Have the command end on all nodes, and return the exit code of one that failed, or 0.

        It has `seconds` to end by itself, then `grace` after a SIGTERM.
        """
        self.fellows.tell("finish", seconds=seconds, grace=grace)
        self.fellows.gather("finished", seconds + grace + ANSWER_SECONDS)
        return self.failure()

    def end(self, exit_code: int) -> None:
        """Tell all how the job has ended: with that code they end, too."""
        self.fellows.tell("end", exit_code=exit_code)
        self.fellows.close()


def about_this_node(task: NodeTask) -> Message:
    """Return what a rank says of its machine: GPUs, versions of the training environment."""
    return {"gpus": gpu_count(), "versions": versions(task.train_python)}


def gpu_count() -> int | None:
    """Return the GPUs that a process of this node sees; None when nobody can tell."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([one for one in visible.split(",") if one.strip() not in ("", "-1")])
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    return sum(line.startswith("GPU ") for line in done.stdout.splitlines())
