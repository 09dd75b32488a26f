"""A SkyPilot launcher in a folder, and tasks for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from real_git import git

from runner.git.repository import Repository
from runner.launchers.skypilot import SkyPilotLauncher
from runner.ledger.branch import Ledger
from runner.node.task import Limits, NodeTask
from runner.registry import Registry
from runner.spec.experiment import Experiment
from runner.workspace import Workspace

SPEC: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "script",
    "script": {"command": ["python", "train.py"], "files": ["train.py"]},
    "training": {"steps": 1, "prompts_per_step": 1, "learning_rate": 0.1},
}


def launcher_in(folder: Path) -> SkyPilotLauncher:
    """Return a launcher that keeps its scratch below `folder`."""
    git(folder, "init", "--quiet")
    registry = Registry.model_validate({"apiVersion": "rollbook/v1", "lineage": "0" * 32})
    repository = Repository(folder)
    ledger = Ledger(repository, registry.ledger, registry.lineage)
    return SkyPilotLauncher(Workspace(folder, registry, repository, ledger))


def task_in(folder: Path, job: str = "r1-a1-aaaaaaaa", **changes: Any) -> NodeTask:
    """Return a task, with its code laid out in the scratch folder where a workspace has it."""
    scratch = folder / ".rollbook" / "scratch" / job
    (scratch / "code").mkdir(parents=True)
    (scratch / "code" / "train.py").write_text("print('trained')\n")
    spec = Experiment.model_validate(SPEC | changes.pop("spec", {}))
    values: dict[str, Any] = {
        "run_id": "abcd00000000",
        "attempt": "a1",
        "job": job,
        "nonce": "a" * 32,
        "experiment": "demo",
        "seed": 1,
        "spec": spec,
        "steps": 1,
        "commit": "c" * 40,
        "code": str(scratch / "code"),
        "store": "s3://bucket/runs/ab",
        "scratch": str(scratch),
        "train_python": sys.executable,
        "data_remote": "s3://bucket/data",
        "checkpoint_remote": "s3://bucket/checkpoints",
        "limits": Limits(seconds=60),
    }
    return NodeTask.model_validate(values | changes)
