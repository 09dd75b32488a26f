"""A registry whose runs go to a real SkyPilot, and whose run store and remotes are in an S3."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from live_registry import REWARD, TRAINER, LiveRegistry, script_spec
from real_git import write_files
from sky_host import INFRA, SkyHost
from stand_in_s3 import KEYS, S3

VARIABLES = (*KEYS, "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED")
BETWEEN_SYNCS = 4.0
GIVING_BACK_SECONDS = 120.0
RUN_SECONDS = 420.0
"""For a small run from apply to its end: a cluster is made for it, on two cores with others."""


class SkyRegistry(LiveRegistry):
    """One clone of such a registry."""

    def __init__(self, folder: Path, host: SkyHost, s3: S3) -> None:
        super().__init__(folder / "clone", folder / "origin.git", folder / "home")
        self.host, self.s3 = host, s3
        self.environment |= host.environment | s3.environment
        # DVC, and the `python` with which it runs stages.
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{self.environment['PATH']}"
        self.prefix = folder.name

    def apply(self, *arguments: str) -> None:
        self.succeed("apply", "--launcher", "skypilot", *arguments)

    # Specs

    def spec(self, *arguments: object, steps: int = 6, training: str = "") -> str:
        """Return the text of a spec whose command is the tiny trainer with `arguments`."""
        return script_spec(
            *arguments, steps=steps, training=training, more=self.resources("H100:1")
        )

    def resources(self, accelerators: str | None = None, **more: object) -> str:
        """Return the part of a spec that says where it runs."""
        place = {"infra": INFRA, "cache": str(self.host.cache)}
        asked: dict[str, object] = {"candidates": [place], "max_duration": "20m", **more}
        if accelerators:
            asked["accelerators"] = accelerators
        return f"resources: {json.dumps(asked)}\n"

    # Following

    def follow(
        self, what: str, reached: Callable[[], object], seconds: float = RUN_SECONDS
    ) -> None:
        """Let `sync` look until `reached`."""
        deadline = time.monotonic() + seconds
        self.succeed("sync")
        while not reached():
            assert time.monotonic() < deadline, f"{what}: not within {seconds} s\n{self.account()}"
            time.sleep(BETWEEN_SYNCS)
            self.succeed("sync")

    def await_end(self, *experiments: str, seconds: float = RUN_SECONDS) -> None:
        def ended() -> bool:
            return all(self.attempt(name)["state"] == "ended" for name in experiments)

        self.follow(f"the end of {', '.join(experiments)}", ended, seconds)

    def await_in_store(
        self, experiment: str, reached: Callable[[dict[str, Any]], object], epoch: int = 1
    ) -> None:
        """Wait until the run's own heartbeat says so; asks neither the runner nor SkyPilot."""
        deadline = time.monotonic() + RUN_SECONDS
        while not reached(beat := self.heartbeat(experiment, epoch=epoch)):
            over = time.monotonic() > deadline or beat["phase"] == "ended"
            assert not over, f"{experiment}\n{self.account()}"
            time.sleep(0.5)

    def account(self) -> str:
        """Return what people would look at."""
        return "\n".join(
            [self.runner("status").out, str(self.host.queue()), *self.keys()],
        )

    # What is on record

    def job(self, experiment: str) -> str:
        """Return the name under which the latest attempt of a run was submitted."""
        run = self.run(experiment)
        latest = run["attempts"][-1]
        return f"r{run['run_id']}-a{latest['number']}-{latest['nonce'][:8]}"

    def keys(self) -> list[str]:
        everything = self.s3.keys()
        return [key for key in everything if key.startswith(f"{self.prefix}/")]

    def key(self, experiment: str, name: str, epoch: int = 1, attempt: str = "a1") -> str:
        run_id = self.run(experiment)["run_id"]
        folder = f"{self.prefix}/runs/runs/{run_id[:2]}/{run_id}"
        return f"{folder}/{attempt}/epoch-{epoch}/{name}"

    def stored(self, experiment: str, name: str, epoch: int = 1, attempt: str = "a1") -> bytes:
        """Return a file that a run has left in the run store; empty when there is none."""
        client, key = self.s3.client(), self.key(experiment, name, epoch, attempt)
        try:
            return bytes(client.get_object(Bucket=self.s3.bucket, Key=key)["Body"].read())
        except client.exceptions.NoSuchKey:
            return b""

    def heartbeat(self, experiment: str, attempt: str = "a1", epoch: int = 1) -> dict[str, Any]:
        text = self.stored(experiment, "heartbeat.json", epoch, attempt)
        return dict(json.loads(text)) if text else {"step": 0, "phase": ""}

    def metrics(self, experiment: str, attempt: str = "a1") -> list[dict[str, Any]]:
        """Return the metrics of an attempt as each of its starts has left them, in order."""
        folders = range(1, len(self.leases(experiment)) + 1)
        texts = (self.stored(experiment, "metrics.jsonl", epoch, attempt) for epoch in folders)
        return [json.loads(line) for text in texts for line in text.decode().splitlines()]

    def leases(self, experiment: str) -> list[str]:
        """Return the epochs of the latest attempt: how often its node program has started."""
        run_id = self.run(experiment)["run_id"]
        parts = (key.split("/") for key in self.keys() if f"/{run_id}/" in key)
        return sorted({part for key in parts for part in key if part.startswith("epoch-")})

    # What is left

    def cancel_everything(self) -> None:
        """Stop what a failed test has left behind."""
        runs = self.succeed("status", "--json").json["runs"]
        active = {run["experiment"] for run in runs if run["state"] != "ended"}
        started = [self.start("down", name) for name in active]
        for process in started:
            process.communicate(timeout=RUN_SECONDS)

    def left(self, experiments: Sequence[str]) -> dict[str, object]:
        """Return what is left of runs that have ended; empty for nothing.

        A run has ended when its node has said so; SkyPilot gives its machines back after that.
        """
        deadline = time.monotonic() + GIVING_BACK_SECONDS
        while (found := self._left(experiments)) and time.monotonic() < deadline:
            time.sleep(BETWEEN_SYNCS)
        return found

    def _left(self, experiments: Sequence[str]) -> dict[str, object]:
        jobs = [self.job(name) for name in experiments]
        doctor = self.runner("doctor", "--leaks")
        found = {
            "slurm": [name for name in self.host.queue().values() if name.startswith(tuple(jobs))],
            "processes": [process.cmdline() for process in self.host.processes(*jobs)],
            "leaks": doctor.out + doctor.err if doctor.code else "",
        }
        return {what: value for what, value in found.items() if value}


def make_registry(folder: Path, host: SkyHost, s3: S3, git_config: str) -> SkyRegistry:
    """Make a registry with its origin below `folder`, as a person sets one up."""
    write_files(folder / "home", {".gitconfig": git_config})
    shutil.copytree(host.catalogs, folder / "home" / ".sky" / "catalogs")
    registry = SkyRegistry(folder, host, s3)
    registry.git("init", "--quiet", "--bare", str(registry.origin), cwd=folder)
    registry.git("clone", "--quiet", str(registry.origin), str(registry.root), cwd=folder)
    registry.succeed("init")
    settle(registry)
    registry.git("add", "--all")
    registry.merge({"train.py": TRAINER.read_text(), "reward/exact.py": REWARD})
    return registry


def settle(registry: SkyRegistry) -> None:
    """Say where the registry keeps its files, and which variables lead nodes there."""
    url = f"s3://{registry.s3.bucket}/{registry.prefix}"
    replace(
        registry.root / "registry.yaml",
        {
            "run_store: .rollbook/store": f"run_store: {url}/runs",
            "launcher: local": "launcher: skypilot",
            "# node_variables: [": f"node_variables: [{', '.join(VARIABLES)}]  # [",
        },
    )
    replace(registry.root / ".dvc" / "config", {"../.rollbook/remotes/": f"{url}/dvc/"})


def replace(path: Path, changes: dict[str, str]) -> None:
    text = path.read_text()
    for wrong, right in changes.items():
        assert wrong in text, (path, wrong)
        text = text.replace(wrong, right)
    path.write_text(text)
