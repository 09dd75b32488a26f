"""TRL 1.16.0: SFT, DPO, GRPO and RLOO, started by our entry module.

Keys and their meaning: `trl/trainer/*_config.py` of that version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.spec.experiment import Experiment, Run
from runner.trainers.base import Command, Layout, MetricLine, Refusal, SavedCheckpoint, Setting


class TrlTrainer:
    """TRL, version 1.16.0."""

    name = "trl"
    versions: tuple[str, ...] = ("1.16.0",)
    wants_parquet = True

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """Return what TRL has no key for."""
        return ()

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return TRL's command line."""
        settings = {"learning_rate": Setting(run.spec.training.learning_rate, "spec: training")}
        arguments = tuple(f"--{key}={setting.value}" for key, setting in settings.items())
        program = (layout.python, f"{layout.inside}/rollbook_trl.py")
        return Command((*program, *arguments), {"PYTHONPATH": layout.inside}, settings)

    def parse(self, line: str) -> MetricLine | None:
        """Read a line of our callback."""
        return None

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Translate TRL's names."""
        return {}

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield what TRL has finished writing."""
        return iter(())

    def resume(self, folder: Path, step: int) -> None:
        """TRL looks for the newest checkpoint itself."""

    def needs_ray(self, run: Run) -> bool:
        """TRL needs none."""
        return False
