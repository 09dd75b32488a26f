"""What would be run, exactly: SkyPilot's task, the trainer's command, its config with origins."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

from runner.errors import Refused
from runner.spec.check import LoadedExperiment, load_experiments
from runner.spec.resolve import Resolver
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.base import Command, planned_steps
from runner.trainers.preview import preview_layout
from runner.workspace import Workspace

_PLACES = re.compile(r"(\$(?:CODE|DATA|MODEL|CHECKPOINTS|METRICS|SAMPLES|CONFIG|RUNNER)\b)")


def render(workspace: Workspace, spec: str, what: str) -> str:
    """Return the task, the command or the config of the first run of `spec`, places as `$NAMES`.

    Raises Refused when the spec is invalid, with its findings.
    """
    loaded = _load(workspace, spec)
    run = loaded.runs[0]
    if what == "task":
        return _task(workspace, loaded)
    layout = preview_layout(run.spec)
    trainer = TRAINERS[run.spec.pin.name]
    command = trainer.compile(run, layout, planned_steps(run, None))
    if what == "config":
        from runner.trainers.keys.resolved import resolved_config

        return resolved_config(trainer, run, layout, command, loaded.run_marks[0])
    return _command(command)


def _task(workspace: Workspace, loaded: LoadedExperiment) -> str:
    from runner.launchers.skypilot.preview import preview

    registry = workspace.registry
    resolver = Resolver(WorkTree(workspace.root), registry, (loaded,))
    run_id = ""
    with contextlib.suppress(Refused):  # data that is not made yet, a run to start from
        run_id = next(resolver.runs(loaded)).run_id
    return preview(loaded.runs[0], run_id, workspace.repository.head(), registry)


def write_task(workspace: Workspace, spec: str, folder: Path) -> str:
    """Write what SkyPilot gets for the first run of `spec` into `folder`; return how to launch it.

    Raises as `render`, and where the folder is in use or an input is missing.
    """
    from runner.trying.by_hand import write

    return write(workspace, _load(workspace, spec), folder)


def _load(workspace: Workspace, spec: str) -> LoadedExperiment:
    from runner.errors import InvalidSpec

    loaded = load_experiments(WorkTree(workspace.root), [spec])
    if loaded.findings:
        raise InvalidSpec(loaded.findings)
    if not loaded.experiments:
        raise Refused(f"there is no experiment `{spec}`")
    return loaded.experiments[0]


def _command(command: Command) -> str:
    """Return a command that a shell reads as the node program runs it, one argument a line."""
    environment = [f"{name}={_quoted(value)}" for name, value in command.environment.items()]
    return " \\\n  ".join([*environment, *(_quoted(argument) for argument in command.argv)])


def _quoted(argument: str) -> str:
    """Quote for a shell, but for the places, whose `$NAMES` are to be filled in."""
    parts = _PLACES.split(argument)
    if len(parts) == 1:
        return shlex.quote(argument)
    # Nothing else of a spec means anything to the shell: `$(…)` stays what was written.
    return "".join(
        f'"{part}"' if index % 2 else shlex.quote(part) if part else ""
        for index, part in enumerate(parts)
    )
