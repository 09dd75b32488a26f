"""A SkyPilot task in a folder, for a person to launch: what `runner try` sends, and no more.

Nothing records such a run. It takes the work tree's files, and leaves its own in the run store.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from pathlib import Path

from runner.errors import Refused
from runner.launchers.skypilot.bundle import bundle
from runner.launchers.skypilot.task import RANKS_KEY, as_yaml, sky_task
from runner.launching.tasks import Launch, dvc_remote_url, job_name, node_task
from runner.node.task import Limits, NodeTask
from runner.spec.check import LoadedExperiment
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import WorkTree
from runner.storage.store import open_store
from runner.trying.estimate import open_at_once
from runner.trying.scratch import FOLDER, LABEL
from runner.workspace import Workspace

TASK = "task.yaml"
SENT = "bundle"


def write(workspace: Workspace, loaded: LoadedExperiment, folder: Path) -> str:
    """Write the task of an experiment's first run, and what it sends, into the new `folder`.

    Returns the command that launches it. Raises Refused when the folder holds something, or an
    input of the run is not here.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty", cure="name a folder that is not there yet")
    resolver = Resolver(WorkTree(workspace.root), workspace.registry, (loaded,))
    task = _task(workspace, next(resolver.runs(loaded)))
    try:
        bundle(task, folder / SENT)
    finally:
        shutil.rmtree(task.scratch, ignore_errors=True)
    config = sky_task(task, Path(SENT))
    names = [name for name in config.pop("secrets", {}) if _is_needed(name, task)]
    if names:
        config["secrets"] = dict.fromkeys(names)
    (folder / TASK).write_text(as_yaml(config))
    given = "".join(f" --secret {_given(name)}" for name in names)
    return f"cd {shlex.quote(str(folder))} && sky jobs launch {TASK}{given}"


def _is_needed(name: str, task: NodeTask) -> bool:
    """Whether a value of `name` has to be given; a node's variables may be unset, as here."""
    return name not in task.node_variables or name in os.environ


def _given(name: str) -> str:
    """Return a secret as `sky jobs launch` takes it: from the environment, or made now."""
    return f"{name}=$(openssl rand -hex 32)" if name == RANKS_KEY else name


def _task(workspace: Workspace, resolved: ResolvedRun) -> NodeTask:
    nonce, spec = secrets.token_hex(16), resolved.run.spec
    store = open_store(workspace.registry.run_store, workspace.root)
    launch = Launch(
        LABEL,
        nonce,
        store=store.at(f"{FOLDER}/{job_name(resolved.run_id, LABEL, nonce)}").url(),
        data_remote=dvc_remote_url(workspace, workspace.registry.dvc_remotes.data),
        limits=Limits(seconds=spec.resources.max_duration),
        node_variables=workspace.registry.node_variables,
        candidates=open_at_once(spec.resources),
    )
    return node_task(workspace, resolved, WorkTree(workspace.root), launch)
