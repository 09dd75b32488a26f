"""TRL 1.16.0: SFT, DPO, GRPO and RLOO, started by our entry module.

`runner/node/inside/rollbook_trl.py` reads TRL's own arguments with TRL's own parser, and adds what
TRL's scripts lack: our datasets and reward function, metrics per validation set, checkpoints that
say that they are complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.errors import Refused
from runner.spec.experiment import Experiment, Run
from runner.trainers import trl_metrics, trl_refusals, trl_settings
from runner.trainers.base import (
    Command,
    Layout,
    MetricLine,
    Refusal,
    SavedCheckpoint,
    Setting,
    Start,
    metric_line,
    whole_step,
)

MARK = "rollbook.json"
"""Written last into a checkpoint by the entry module: its step, as the spec counts them."""
_KEY = re.compile(r"[a-z]\w*")


class TrlTrainer:
    """TRL, version 1.16.0."""

    name = "trl"
    versions: tuple[str, ...] = ("1.16.0",)
    wants_parquet = True

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """Return what TRL has no key for, or would do otherwise."""
        return tuple(trl_refusals.refusals(spec))

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return TRL's command line; `overrides` of the spec come last and win."""
        overrides = {key: Setting(value, "overrides") for key, value in run.spec.overrides.items()}
        settings = {**trl_settings.settings(run, layout, steps), **overrides}
        arguments = [
            word for key, setting in settings.items() for word in spell(key, setting.value)
        ]
        program = (*_launcher(run, layout), f"{layout.inside}/rollbook_trl.py")
        method = trl_settings.method(run.spec)
        environment = _environment(run, layout)
        return Command((*program, method, *arguments), environment, settings)

    def parse(self, line: str) -> MetricLine | None:
        """Read a line of the entry module: {"step": …, "data": {…}}."""
        return metric_line(line)

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Translate TRL's names by the tables in `trl_metrics`."""
        if run.spec.algorithm is None:
            return {}
        sets = tuple(run.spec.data.val) if run.spec.data else ()
        return trl_metrics.canonical(values, run.spec.algorithm.terms().stage, sets)

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield the folders with a mark; the number in a folder's name counts updates."""
        found = [(step, mark.parent) for mark in folder.glob(f"checkpoint-*/{MARK}")
                 if (step := _step(mark)) is not None]  # fmt: skip
        for step, path in sorted(found):
            export = path / "huggingface"
            has_weights = any(export.glob("*.safetensors"))
            yield SavedCheckpoint(step, path, export if has_weights else None)

    def resume(self, folder: Path, step: int) -> None:
        """The entry module takes the newest complete checkpoint: the one that was restored."""

    def needs_ray(self, run: Run) -> bool:
        """Processes are started by torchrun."""
        return False

    def starts_on(self, run: Run) -> Start:
        """There is one node: more are refused."""
        return "first"


def _step(mark: Path) -> int | None:
    try:
        return whole_step(json.loads(mark.read_text())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def spell(key: str, value: Any) -> tuple[str, ...]:
    """Return the words of one argument in the grammar of TRL's parser.

    Raises Refused for a key that is none of a config.
    """
    if not _KEY.fullmatch(key):
        raise Refused(
            f"`{ascii(key)[1:-1][:60]}` is no key of TRL's config",
            cure="write it like max_grad_norm",
        )
    if (key, value) == ("fsdp", True):
        return ("--fsdp",)  # with `=true` it would be the name of a strategy
    if isinstance(value, list | tuple):
        return (f"--{key}", *map(str, value))
    return (f"--{key}={_text(value)}",)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return str(value)


def _launcher(run: Run, layout: Layout) -> tuple[str, ...]:
    """Return what starts the program: torchrun where there are several devices."""
    devices = run.spec.resources.devices
    if devices == 1:
        return (layout.python,)
    module = ("-m", "torch.distributed.run", "--standalone")
    return (layout.python, *module, f"--nproc_per_node={devices}")


def _environment(run: Run, layout: Layout) -> dict[str, str]:
    task = trl_settings.task(run, layout)
    environment = {"ROLLBOOK_TRL": json.dumps(task), "PYTHONPATH": layout.inside}
    wandb = run.spec.tracking.wandb
    if wandb:
        environment["WANDB_PROJECT"] = wandb.project
    if wandb and wandb.entity:
        environment["WANDB_ENTITY"] = wandb.entity
    return environment
