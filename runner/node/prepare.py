"""Everything that has to be in place before the trainer starts: data, model, checkpoint, places."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runner.datasets.source import exists
from runner.errors import OutsideError
from runner.node import cpu, wandb
from runner.node.checkpoints import restore, step_of
from runner.node.data import workspace_of
from runner.node.evidence import versions
from runner.node.job import temporary_folder
from runner.node.patience import at_the_start
from runner.node.ranks import KEY
from runner.node.tables import to_parquet
from runner.node.task import Input, NodeTask
from runner.spec.experiment import Run
from runner.storage.store import RunStore
from runner.trainers import TRAINERS
from runner.trainers.base import Command, Layout, Trainer, planned_steps

DOWNLOAD_DEADLINE = 6 * 3600.0


class Prepared(NamedTuple):
    """A run that is ready to train."""

    run: Run
    trainer: Trainer
    command: Command
    environment: dict[str, str]
    layout: Layout
    steps: int | None
    resumed: str | None
    """The checkpoint in the run store that it continues from; none from the start."""
    wandb: str = ""
    """Address of the run at Weights & Biases; empty where it is offline or not asked for."""

    @property
    def first_step(self) -> int:
        """The step of the checkpoint that it continues from; 0 from the start."""
        return step_of(self.resumed) if self.resumed else 0

    def for_the_trainer(self, task: NodeTask) -> dict[str, str]:
        """Return the environment without what only the node program needs to know."""
        own = {KEY, *task.node_variables} - set(task.spec.secrets)
        return {name: text for name, text in self.environment.items() if name not in own}


def prepare(task: NodeTask, store: RunStore, say: Callable[[str], None]) -> Prepared:
    """Bring inputs to the scratch folder and compile the command; `say` adds a line to the log.

    Raises OutsideError when data, model or training environment cannot be had.
    """
    layout, rows = bring(task)
    run, trainer = _run(task)
    resumed, newest = None, task.resume
    if newest:
        resumed = at_the_start(
            lambda: restore(store, newest, Path(layout.checkpoints), trainer, say)
        )
    steps = task.steps if task.steps is not None else planned_steps(run, rows)
    if task.limits.steps is not None:
        steps = min(steps or task.limits.steps, task.limits.steps)
    return composed(task, layout, steps, resumed)


def bring(task: NodeTask, *, is_there: bool = False) -> tuple[Layout, int | None]:
    """Bring data and model to the scratch folder; return where all is, and the training set's rows.

    With `is_there` another node with the same disk has brought them: rows are not counted again.
    """
    scratch = Path(task.scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    _check_python(task)
    if not is_there:
        workspace_of(task, scratch / "inputs", task.data_remote).pull(task.inputs)
    return _layout(task, TRAINERS[task.spec.pin.name], scratch, is_there=is_there)


def composed(task: NodeTask, layout: Layout, steps: int | None, resumed: str | None) -> Prepared:
    """Return what is to be started, now that everything is at its place."""
    run, trainer = _run(task)
    command = trainer.compile(run, layout, steps)
    environment = _environment(task, command, layout, Path(task.scratch))
    return Prepared(
        run, trainer, command, environment, layout, steps, resumed, wandb.address(task, environment)
    )


def _run(task: NodeTask) -> tuple[Run, Trainer]:
    run = Run(experiment=task.experiment, seed=task.seed, point={}, spec=task.spec)
    return run, TRAINERS[task.spec.pin.name]


def _check_python(task: NodeTask) -> None:
    python, pin = task.train_python, task.spec.pin
    cure = "scripts/train-env.sh DIR, then set RUNNER_TRAIN_PYTHON=DIR/bin/python"
    if not os.access(python, os.X_OK):
        raise OutsideError(f"the training environment's Python is not there: {python}", cure=cure)
    if pin.name == "script":
        return
    there = versions(python).get(pin.name)
    if there != pin.version:
        found = f"has {pin.name} {there}" if there else f"has no {pin.name}"
        raise OutsideError(
            f"the run is pinned to {pin.name} {pin.version}, and {python} {found}", cure=cure
        )


def _layout(
    task: NodeTask, trainer: Trainer, scratch: Path, *, is_there: bool
) -> tuple[Layout, int | None]:
    data, rows = task.spec.data, None
    train, val = "", {}
    if data is not None:
        target = scratch / "data" / "train.parquet"
        train, rows = _table(task, trainer, data.train, target, None, is_there=is_there)
        for name, path in data.val.items():
            target = scratch / "data" / f"val.{name}.parquet"
            val[name], _ = _table(task, trainer, path, target, name, is_there=is_there)
    checkpoints = scratch / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    layout = Layout(
        python=task.train_python,
        code=task.code,
        train=train,
        val=val,
        model=_model(task, scratch, is_there=is_there),
        checkpoints=str(checkpoints),
        metrics=str(scratch / "metrics.raw.jsonl"),
        config=str(scratch / "hydra"),
        samples=str(scratch / "samples"),
        inside=str(cpu.INSIDE),
    )
    return layout, rows


def _table(
    task: NodeTask,
    trainer: Trainer,
    path: str,
    target: Path,
    name: str | None,
    *,
    is_there: bool,
) -> tuple[str, int | None]:
    source, spec = _locate(task, path), task.spec
    if not trainer.wants_parquet or spec.algorithm is None or spec.data is None:
        return str(source), None
    if is_there:
        return str(target), None
    stage = spec.algorithm.terms().stage
    return str(target), to_parquet(source, target, stage, spec.data.columns, name)


def _locate(task: NodeTask, path: str) -> Path:
    """Return where data or a model of the repository is: pulled by DVC, else among the code."""
    pulled = Path(task.scratch) / "inputs" / path
    return pulled if exists(pulled) else Path(task.code) / path


def _model(task: NodeTask, scratch: Path, *, is_there: bool) -> str:
    model = task.spec.model
    if model is None:
        return ""
    if model.source == "run":
        if task.upstream is None:
            raise OutsideError("the task does not say which export it starts from")
        if not is_there:
            workspace = workspace_of(task, scratch / "upstream", task.checkpoint_remote)
            workspace.pull([Input(path="model", md5=task.upstream.md5)])
        return str(scratch / "upstream" / "model")
    if model.source in ("dvc", "path"):
        return str(_locate(task, model.path))
    return _download(task.train_python, model.source, model.path, model.revision)


def _download(python: str, source: str, path: str, revision: str | None) -> str:
    """Fetch a model from its hub at its revision and return its folder."""
    script = str(cpu.INSIDE / "rollbook_model.py")
    command = [python, script, source, path, *([revision] if revision else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise OutsideError(f"fetching {path} from {source} took too long") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise OutsideError(f"cannot fetch {path} from {source}: {''.join(last)}")
    return done.stdout.strip().splitlines()[-1]


def _environment(task: NodeTask, command: Command, layout: Layout, scratch: Path) -> dict[str, str]:
    """Join what the process inherits with what the trainer and the reward are told."""
    temporary = temporary_folder(task.job)
    temporary.mkdir(mode=0o700, exist_ok=True)
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "HF_DATASETS_CACHE": str(scratch / "datasets"),
        # Compiling takes most of a minute on a small machine, and is the same for every job.
        "TORCHINDUCTOR_CACHE_DIR": str(_cache() / "torchinductor"),
    }
    paths = []
    for part in (
        _cpu(task, scratch),
        command.environment,
        _reward(task, scratch),
        wandb.variables(task, scratch, os.environ),
    ):
        paths += [part["PYTHONPATH"]] if "PYTHONPATH" in part else []
        environment.update(part)
    environment["PYTHONPATH"] = os.pathsep.join(
        dict.fromkeys(os.pathsep.join(paths).split(os.pathsep))
    )
    if os.path.isdir(layout.model):  # noqa: PTH112
        environment["HF_HUB_OFFLINE"] = "1"  # nothing is to be fetched behind our back
    return environment


def _cache() -> Path:
    """Return the folder for what jobs of this user may share."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollbook"


def _cpu(task: NodeTask, scratch: Path) -> dict[str, str]:
    if task.spec.resources.gpus_per_node or task.spec.pin.name == "script":
        return {}
    if task.spec.pin.name == "trl":  # it generates with Transformers there
        return dict(cpu.THREADS)
    try:
        return cpu.environment(scratch / "metadata", Path(task.train_python))
    except FileNotFoundError as error:
        raise OutsideError(str(error)) from error


def _reward(task: NodeTask, scratch: Path) -> dict[str, str]:
    if task.spec.reward is None:
        return {}
    file, _, function = task.spec.reward.partition(":")
    return {
        "ROLLBOOK_CODE": task.code,
        "ROLLBOOK_REWARD_FILE": str(Path(task.code) / file),
        "ROLLBOOK_REWARD_FUNCTION": function,
        "ROLLBOOK_REWARD_LOG": str(reward_log(scratch)),
    }


def reward_log(scratch: Path) -> Path:
    """Return the folder in which the reward function's calls are recorded."""
    return scratch / "rewards"
