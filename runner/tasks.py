"""From a resolved run to the one file that drives the node program, with everything in place."""

from __future__ import annotations

import configparser
import os
import sys

from runner.errors import OutsideError, Refused
from runner.ledger.record import RunRecord
from runner.node.task import Input, Limits, NodeTask
from runner.repository import CommitTree
from runner.runfolder import open_run_store
from runner.spec.experiment import Experiment
from runner.spec.inputs import DvcOutputs, code_files
from runner.spec.resolve import ResolvedRun
from runner.spec.tree import Tree
from runner.store import resolve_location
from runner.trainers.base import planned_steps
from runner.workspace import Workspace


def job_name(run_id: str, attempt: str, nonce: str) -> str:
    """Return the name under which an attempt is submitted: the same whoever submits it."""
    return f"{run_id}-{attempt}-{nonce[:8]}"


def node_task(
    workspace: Workspace,
    resolved: ResolvedRun,
    commit: str,
    attempt: str,
    nonce: str,
    *,
    upstream: RunRecord | None = None,
    resume: str | None = None,
) -> NodeTask:
    """Return the task of an attempt of `resolved`, with the commit's files laid out for it.

    Raises OutsideError when a remote is not configured, Refused when the upstream run has left no
    checkpoint.
    """
    tree = CommitTree(workspace.repository, commit)
    job = job_name(resolved.run_id, attempt, nonce)
    scratch = workspace.state / "scratch" / job
    code = scratch / "code"
    files = repository_files(resolved.run.spec, tree)
    if not code.exists():
        workspace.repository.archive(commit, files, code)
    return NodeTask(
        run_id=resolved.run_id,
        attempt=attempt,
        job=job,
        nonce=nonce,
        experiment=resolved.run.experiment,
        seed=resolved.run.seed,
        spec=resolved.run.spec,
        steps=planned_steps(resolved.run, None),
        commit=commit,
        code=str(code),
        store=open_run_store(workspace, resolved.run_id).url(),
        scratch=str(scratch),
        train_python=train_python(workspace, resolved.run.spec),
        inputs=dvc_inputs(resolved.run.spec, tree),
        data_remote=dvc_remote_url(workspace, workspace.registry.dvc_remotes.data),
        checkpoint_remote=dvc_remote_url(workspace, workspace.registry.dvc_remotes.checkpoints),
        upstream=_export(upstream) if upstream else None,
        resume=resume,
        limits=Limits(seconds=resolved.run.spec.resources.max_duration),
    )


def repository_files(spec: Experiment, tree: Tree) -> tuple[str, ...]:
    """Return the files of the repository, tracked by git, that a run needs: code, data, model."""
    outputs = DvcOutputs(tree)
    wanted = [path for path in data_paths(spec) if outputs.find(path) is None]
    members = (tree.paths(path, "") if tree.read(path) is None else [path] for path in wanted)
    found = {*code_files(spec, tree), *(member for group in members for member in group)}
    return tuple(sorted(found))


def data_paths(spec: Experiment) -> tuple[str, ...]:
    """Return the paths in the repository of a run's datasets and model."""
    data = (spec.data.train, *spec.data.val.values()) if spec.data else ()
    model = (spec.model.path,) if spec.model and spec.model.source in ("dvc", "path") else ()
    return (*data, *model)


def dvc_inputs(spec: Experiment, tree: Tree) -> tuple[Input, ...]:
    """Return the DVC outputs that a run reads, by digest."""
    outputs = DvcOutputs(tree)
    found = (outputs.find(path) for path in data_paths(spec))
    return tuple(Input(path=path, md5=md5) for path, md5 in dict.fromkeys(f for f in found if f))


def dvc_remote_url(workspace: Workspace, name: str) -> str:
    """Return where a DVC remote is; a relative folder is relative to .dvc, as DVC has it.

    Raises OutsideError when neither .dvc/config nor .dvc/config.local knows the remote.
    """
    folder = workspace.root / ".dvc"
    config = configparser.ConfigParser(interpolation=None)
    config.read([folder / "config", folder / "config.local"])
    section = f"'remote \"{name}\"'"
    if not config.has_option(section, "url"):
        raise OutsideError(
            f"DVC has no remote `{name}`, which registry.yaml names",
            cure=f"dvc remote add {name} <folder or URL>",
        )
    url = config.get(section, "url")
    return resolve_location(url, folder)


def train_python(workspace: Workspace, spec: Experiment) -> str:
    """Return the Python of the training environment.

    RUNNER_TRAIN_PYTHON says it, else `git config runner.trainPython`, else `.venv-train` beside
    the registry's files; a script without any of them uses the runner's own.
    """
    named = os.environ.get("RUNNER_TRAIN_PYTHON") or workspace.repository.git_config(
        "runner.trainPython"
    )
    usual = workspace.root / ".venv-train" / "bin" / "python"
    if named or usual.exists() or spec.pin.name != "script":
        return named or str(usual)
    return sys.executable


def _export(upstream: RunRecord) -> Input:
    checkpoint = upstream.latest.checkpoint
    if checkpoint is None:
        raise Refused(f"run {upstream.run_id} has left no checkpoint to start from")
    return Input(path="model", md5=checkpoint.removeprefix("md5:"))
