"""SkyRL 0.3.0: `skyrl.train.entrypoints.main_base`, started by our entry module.

Keys and their meaning: `skyrl/train/config/config.py` of that version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.spec.experiment import Experiment, Run
from runner.trainers.base import (
    Command,
    Layout,
    MetricLine,
    Refusal,
    SavedCheckpoint,
    Setting,
    finite,
    whole_step,
)

TRACKER = "latest_ckpt_global_step.txt"
_STEP = re.compile(r"global_step_(\d+)")


class SkyrlTrainer:
    """SkyRL, version 0.3.0."""

    name = "skyrl"
    versions: tuple[str, ...] = ("0.3.0",)
    wants_parquet = True

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """Return what SkyRL has no key for."""
        if spec.algorithm is None:
            return ()
        terms = spec.algorithm.terms()
        if terms.stage != "rl" or terms.advantage != "grpo":
            message = f"`{spec.algorithm.name}`: SkyRL cannot run it"
            return (Refusal(("algorithm",), message, "take the trainer verl or trl"),)
        return ()

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return SkyRL's command line."""
        settings = {"trainer.algorithm.advantage_estimator": Setting("grpo", "algorithm")}
        arguments = tuple(f"{key}={setting.value}" for key, setting in settings.items())
        program = (layout.python, f"{layout.inside}/rollbook_skyrl.py")
        return Command((*program, *arguments), {"PYTHONPATH": layout.inside}, settings)

    def parse(self, line: str) -> MetricLine | None:
        """Read a line of our tracker: {"step": …, "data": {…}}."""
        try:
            entry = json.loads(line)
            step, data = whole_step(entry["step"]), dict(entry["data"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return None if step is None else MetricLine(step, finite(data))

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Translate SkyRL's names."""
        return {}

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield what SkyRL has finished writing."""
        return iter(())

    def resume(self, folder: Path, step: int) -> None:
        """Write the file in which SkyRL looks for the newest step."""
        (folder / TRACKER).write_text(str(step))

    def needs_ray(self, run: Run) -> bool:
        """SkyRL's driver joins a Ray cluster."""
        return True
