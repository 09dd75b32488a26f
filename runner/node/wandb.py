"""Weights & Biases: one run per attempt, which a recovered attempt goes on with.

Its id is the name of the job: unlike that of any other claim, and the same in every start. W&B's
client leaves out the steps that a resumed run has told already. Offline nothing can be resumed, and
`wandb sync` would move the steps of a second folder with the same id behind those of the first
(wandb 0.31.0; tests/train/test_wandb.py shows both). So there each start is a run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from runner.node.job import START
from runner.node.task import NodeTask

HOST = "https://wandb.ai"
KEY = "WANDB_API_KEY"
_HOSTED_SERVER = "https://api.wandb.ai"
_LONGEST_TAG = 64


def variables(task: NodeTask, scratch: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the trainer's W&B client is told; it writes below `scratch`.

    It is offline unless the run has a key.
    """
    (scratch / "wandb").mkdir(exist_ok=True)
    told = {
        "WANDB_DIR": str(scratch),
        "WANDB_SILENT": "true",
        **_identity(task, environment),
        "WANDB_RUN_GROUP": task.experiment,
        "WANDB_TAGS": ",".join(tag for tag in task.spec.tags if len(tag) <= _LONGEST_TAG),
    }
    asked = task.spec.tracking.wandb
    if asked:
        told |= {"WANDB_PROJECT": asked.project, "WANDB_ENTITY": asked.entity or ""}
    return {name: value for name, value in told.items() if value}


def _identity(task: NodeTask, environment: Mapping[str, str]) -> dict[str, str]:
    if _is_online(task, environment):
        return {"WANDB_MODE": "online", "WANDB_RUN_ID": task.job, "WANDB_RESUME": "allow"}
    start = environment.get(START)
    name = f"{task.job}-{start}" if start else task.job
    return {"WANDB_MODE": "offline", "WANDB_RUN_ID": name}


def _is_online(task: NodeTask, environment: Mapping[str, str]) -> bool:
    return KEY in task.spec.secrets and KEY in environment


def address(task: NodeTask, environment: Mapping[str, str]) -> str:
    """Return the address of the run's page; empty where it has none, or its team is not known."""
    asked = task.spec.tracking.wandb
    if not asked or not asked.entity or not _is_online(task, environment):
        return ""
    host = (
        environment.get("WANDB_BASE_URL", HOST).rstrip("/").replace("//api.wandb.ai", "//wandb.ai")
    )
    return f"{host}/{quote(asked.entity, safe='')}/{quote(asked.project, safe='')}/runs/{task.job}"
