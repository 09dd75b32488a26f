"""Weights & Biases: one run per attempt, which a recovered attempt goes on with.

Its id is the name of the job: unlike that of any other claim, and the same in every epoch. W&B's
client leaves out steps that a resumed run has told already; offline, where nothing can be resumed,
each epoch leaves a folder of its own with the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

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
        "WANDB_MODE": "online" if _is_online(task, environment) else "offline",
        "WANDB_DIR": str(scratch),
        "WANDB_SILENT": "true",
        "WANDB_RUN_ID": task.job,
        "WANDB_RESUME": "allow",
        "WANDB_RUN_GROUP": task.experiment,
        "WANDB_TAGS": ",".join(tag for tag in task.spec.tags if len(tag) <= _LONGEST_TAG),
    }
    asked = task.spec.tracking.wandb
    if asked:
        told |= {"WANDB_PROJECT": asked.project, "WANDB_ENTITY": asked.entity or ""}
    return {name: value for name, value in told.items() if value}


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
