"""What would be run, exactly: the trainer's command or its config with origins."""

from __future__ import annotations

import json
import re
import shlex

from runner.errors import Refused
from runner.spec.check import load_experiments
from runner.spec.experiment import Run
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.base import Command, Layout, planned_steps
from runner.workspace import Workspace

_PLACES = re.compile(r"(\$(?:CODE|DATA|MODEL|CHECKPOINTS|METRICS|SAMPLES|RUNNER)\b)")


def render(workspace: Workspace, spec: str, what: str) -> str:
    """Return the command or the config of the first run of `spec`, places as `$NAMES`.

    Raises Refused when the spec is invalid, with its findings.
    """
    run = _run(workspace, spec)
    command = TRAINERS[run.spec.pin.name].compile(run, _layout(run), planned_steps(run, None))
    return _config(command) if what == "config" else _command(command)


def _run(workspace: Workspace, spec: str) -> Run:
    from runner.errors import InvalidSpec

    loaded = load_experiments(WorkTree(workspace.root), [spec])
    if loaded.findings:
        raise InvalidSpec(loaded.findings)
    if not loaded.experiments:
        raise Refused(f"there is no experiment `{spec}`")
    return loaded.experiments[0].runs[0]


def _layout(run: Run) -> Layout:
    model = run.spec.model
    on_hub = model is not None and model.source in ("huggingface", "modelscope")
    sets = run.spec.data.val if run.spec.data else {}
    return Layout(
        python="python",
        code="$CODE",
        train="$DATA/train.parquet",
        val={name: f"$DATA/val.{name}.parquet" for name in sets},
        model=model.path if model and on_hub else "$MODEL",
        checkpoints="$CHECKPOINTS",
        metrics="$METRICS",
        config="$CONFIG",
        samples="$SAMPLES",
        inside="$RUNNER/node/inside",
    )


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


def _config(command: Command) -> str:
    width = max((len(key) for key in command.settings), default=0)
    lines = []
    for key, setting in sorted(command.settings.items()):
        value = json.dumps(setting.value)
        lines.append(f"{key:<{width}} = {value}   # {setting.origin}")
    return "\n".join(lines) or "# the script's own affair"
