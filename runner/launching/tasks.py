"""From a resolved run to the one file that drives the node program, with everything in place."""

from __future__ import annotations

import configparser
import functools
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from runner.errors import OutsideError, Refused
from runner.forecast.cost import rates
from runner.git.commit_tree import CommitTree
from runner.ledger.costs import budget_left
from runner.ledger.prices import PriceList, read_prices
from runner.ledger.record import RunRecord
from runner.ledger.snapshot import Snapshot
from runner.node.task import Input, Limits, NodeTask
from runner.policy.trust import in_force
from runner.registry import Environment
from runner.spec.check import load_registry
from runner.spec.experiment import Experiment
from runner.spec.inputs import DvcOutputs, code_files
from runner.spec.resolve import ResolvedRun
from runner.spec.tree import Tree, WorkTree
from runner.storage.runfolder import open_run_store
from runner.storage.store import resolve_location
from runner.trainers.base import planned_steps
from runner.workspace import Workspace


def job_name(run_id: str, attempt: str, nonce: str) -> str:
    """Return the name under which an attempt is submitted: the same whoever submits it.

    It begins with a letter: SkyPilot makes a cluster's name of it, and refuses one that does not.
    """
    return f"r{run_id}-{attempt}-{nonce[:8]}"


class Launch(NamedTuple):
    """What distinguishes one start of a run from another."""

    attempt: str
    """`a<n>`, `r<n>` for a repeat, `try`."""
    nonce: str
    store: str
    """The run's folder in a run store."""
    data_remote: str
    limits: Limits
    upstream: RunRecord | None = None
    """The run whose export it starts from."""
    resume: str | None = None
    """Checkpoint in the store to continue from."""
    node_variables: tuple[str, ...] = ()
    """Names of the variables with which the node reaches store and remotes."""
    candidates: int = 1
    """How many of the spec's candidates are open to it, from the first on."""
    prices: PriceList | None = None
    """The ledger's."""


class Ground(NamedTuple):
    """What is the same for all that is launched on one state of the ledger."""

    snapshot: Snapshot
    node_variables: tuple[str, ...]
    prices: PriceList | None


def ground(workspace: Workspace) -> Ground:
    """Return what launches start from now.

    Raises Refused when the settings in force cannot be read.
    """
    snapshot = workspace.ledger.snapshot()
    permitting = in_force(workspace.repository, workspace.registry, snapshot)
    return Ground(snapshot, permitting.node_variables, read_prices(snapshot))


def recorded_launch(
    workspace: Workspace,
    resolved: ResolvedRun,
    attempt: str,
    nonce: str,
    start: Ground | None = None,
) -> Launch:
    """Return an attempt or repeat that the ledger records, with the registry's own places.

    Raises as `ground`, which is asked where there is no `start`.
    """
    start = start or ground(workspace)
    spec, record = resolved.run.spec, start.snapshot.record(resolved.run_id)
    return Launch(
        attempt,
        nonce,
        store=open_run_store(workspace, resolved.run_id).url(),
        data_remote=dvc_remote_url(workspace, workspace.registry.dvc_remotes.data),
        limits=Limits(
            seconds=spec.resources.max_duration,
            usd=budget_left(spec, record if attempt.startswith("a") else None),
        ),
        node_variables=start.node_variables,
        prices=start.prices,
    )


def node_task(
    workspace: Workspace, resolved: ResolvedRun, tree: CommitTree | WorkTree, launch: Launch
) -> NodeTask:
    """Return the task of one start of `resolved`, with the files of `tree` laid out for it.

    Raises OutsideError when a remote is not configured, Refused when the upstream run has left no
    checkpoint.
    """
    spec = resolved.run.spec
    job = job_name(resolved.run_id, launch.attempt, launch.nonce)
    scratch = workspace.state / "scratch" / job
    code = scratch / "code"
    image, lock = _environment(spec, tree)
    if not code.exists():
        files = (*repository_files(spec, tree), *([lock] if lock else []))
        _lay_out(workspace, tree, files, code)
    return NodeTask(
        run_id=resolved.run_id,
        attempt=launch.attempt,
        job=job,
        nonce=launch.nonce,
        experiment=resolved.run.experiment,
        seed=resolved.run.seed,
        spec=spec,
        steps=planned_steps(resolved.run, None),
        commit=tree.commit if isinstance(tree, CommitTree) else "",
        code=str(code),
        store=launch.store,
        scratch=str(scratch),
        train_python=train_python(workspace, spec),
        image=image,
        lock=lock,
        inputs=dvc_inputs(spec, tree),
        data_remote=launch.data_remote,
        checkpoint_remote=dvc_remote_url(workspace, workspace.registry.dvc_remotes.checkpoints),
        endpoints=_endpoints(workspace),
        upstream=_export(launch.upstream) if launch.upstream else None,
        resume=launch.resume,
        node_variables=launch.node_variables,
        candidates=launch.candidates,
        rates=rates(spec.resources, launch.candidates, launch.prices),
        limits=launch.limits,
    )


def _environment(spec: Experiment, tree: Tree) -> tuple[str | None, str | None]:
    """Return the image that the trainer runs in, by the registry of `tree`, else its lock."""
    mapped = load_registry(tree).environments.get(spec.trainer, Environment())
    image = spec.image or mapped.image
    return image, None if image else mapped.lock


def _lay_out(
    workspace: Workspace, tree: CommitTree | WorkTree, paths: tuple[str, ...], target: Path
) -> None:
    if isinstance(tree, CommitTree):
        tree.archive(paths, target)
        return
    target.mkdir(parents=True)
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(workspace.root / path, target / path)


def repository_files(spec: Experiment, tree: Tree) -> tuple[str, ...]:
    """Return the files of the repository, tracked by git, that a run needs: code, data, model."""
    outputs = _outputs(tree)
    wanted = [path for path in data_paths(spec) if outputs.find(path) is None]
    members = (tree.paths(path, "") if tree.read(path) is None else [path] for path in wanted)
    found = {*code_files(spec, tree), *(member for group in members for member in group)}
    return tuple(sorted(found))


def _outputs(tree: Tree) -> DvcOutputs:
    return _outputs_of(tree) if isinstance(tree, CommitTree) else DvcOutputs(tree)


@functools.lru_cache(maxsize=2)
def _outputs_of(commit: CommitTree) -> DvcOutputs:
    """Return what DVC tracks in a commit: all runs of an apply ask."""
    return DvcOutputs(commit)


def data_paths(spec: Experiment) -> tuple[str, ...]:
    """Return the paths in the repository of a run's datasets and model."""
    data = (spec.data.train, *spec.data.val.values()) if spec.data else ()
    model = (spec.model.path,) if spec.model and spec.model.source in ("dvc", "path") else ()
    return (*data, *model)


def dvc_inputs(spec: Experiment, tree: Tree) -> tuple[Input, ...]:
    """Return the DVC outputs that a run reads, by digest."""
    outputs = _outputs(tree)
    found = (outputs.find(path) for path in data_paths(spec))
    return tuple(Input(path=path, md5=md5) for path, md5 in dict.fromkeys(f for f in found if f))


def dvc_remote_url(workspace: Workspace, name: str) -> str:
    """Return where a DVC remote is; a relative folder is relative to .dvc, as DVC has it.

    Raises OutsideError when neither .dvc/config nor .dvc/config.local knows the remote.
    """
    config, section = _dvc_config(workspace), _remote(name)
    if not config.has_option(section, "url"):
        raise OutsideError(
            f"DVC has no remote `{name}`, which registry.yaml names",
            cure=f"dvc remote add {name} <folder or URL>",
        )
    return resolve_location(config.get(section, "url"), workspace.root / ".dvc")


def _endpoints(workspace: Workspace) -> dict[str, str]:
    """Return the servers that DVC's configuration names for the registry's remotes, by URL."""
    config, remotes = _dvc_config(workspace), workspace.registry.dvc_remotes
    return {
        dvc_remote_url(workspace, name): config.get(_remote(name), "endpointurl")
        for name in (remotes.data, remotes.checkpoints)
        if config.has_option(_remote(name), "endpointurl")
    }


def _dvc_config(workspace: Workspace) -> configparser.ConfigParser:
    folder = workspace.root / ".dvc"
    config = configparser.ConfigParser(interpolation=None)
    config.read([folder / "config", folder / "config.local"])
    return config


def _remote(name: str) -> str:
    """Return how DVC's configuration calls the section of a remote."""
    return f"'remote \"{name}\"'"


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


def check_train_python(workspace: Workspace, spec: Experiment) -> None:
    """Raise OutsideError when the training environment that `spec` needs is not on this machine."""
    python = train_python(workspace, spec)
    if not os.access(python, os.X_OK):
        raise OutsideError(
            f"the training environment's Python is not there: {python}",
            cure="make it (in the runner's own repository: scripts/train-env.sh DIR), then "
            "git config runner.trainPython DIR/bin/python",
        )


def _export(upstream: RunRecord) -> Input:
    checkpoint = upstream.latest.checkpoint
    if checkpoint is None:
        raise Refused(f"run {upstream.run_id} has left no checkpoint to start from")
    return Input(path="model", md5=checkpoint.removeprefix("md5:"))
