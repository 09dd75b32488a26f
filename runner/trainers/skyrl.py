"""SkyRL 0.3.0: reinforcement learning on GPUs, with its own `BasePPOExp` and configuration.

It is started by `runner/node/inside/rollbook_skyrl.py`, which adds what SkyRL has no key for: the
spec's reward function as an environment, and metrics as JSON lines. Datasets are read as they are
for verl: a row without `env_class` belongs to the environment that the config names, which finds
`data_source`, `reward_model` and `extra_info` of its row itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.spec.experiment import Experiment, Run
from runner.trainers import overrides, skyrl_metrics, skyrl_refusals, skyrl_settings
from runner.trainers.base import (
    Command,
    Layout,
    MetricLine,
    Refusal,
    SavedCheckpoint,
    Start,
    finished_steps,
    metric_line,
)
from runner.trainers.skyrl_arguments import argument

RESERVED = re.compile(
    r"data\.(train_data|val_data)|trainer\.(policy|ref|critic)\.model\.path|trainer\.placement\..+"
    r"|trainer\.(seed|logger|ckpt_path|export_path|resume_\w+|max_training_steps|epochs)"
    r"|trainer\.override_entrypoint|environment\.env_class"
    r"|generator\.inference_engine\.(external_\w+|run_engines_locally)"
)
"""Keys of what a run reads, where it writes, how long it is and where it is placed: fields of the
spec say these."""
TRACKER = "latest_ckpt_global_step.txt"


class SkyrlTrainer:
    """SkyRL, version 0.3.0."""

    name = "skyrl"
    versions: tuple[str, ...] = ("0.3.0",)
    wants_parquet = True

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """Return what SkyRL has no key for, or would ignore."""
        return (*skyrl_refusals.refusals(spec), *overrides.refusals(spec.overrides, RESERVED))

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return SkyRL's command line; `overrides` of the spec come last and win."""
        settings = {
            **skyrl_settings.settings(run, layout, steps),
            **overrides.settings(run.spec.overrides),
        }
        arguments = tuple(argument(key, setting.value) for key, setting in settings.items())
        program = (layout.python, "-m", "rollbook_skyrl")
        return Command((*program, *arguments), _environment(run, layout), settings)

    def parse(self, line: str) -> MetricLine | None:
        """Read a line of our entry module's tracker: {"step": …, "data": {…}}."""
        return metric_line(line)

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Translate SkyRL's names by the table in `skyrl_metrics`."""
        return skyrl_metrics.canonical(values, run.spec.data.val if run.spec.data else ())

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield what SkyRL has finished writing: it writes `latest_ckpt_global_step.txt` last."""
        for step, path in finished_steps(folder, TRACKER):
            if (path / "trainer_state.pt").exists():
                export = path / "huggingface"
                has_weights = any(export.glob("*.safetensors"))
                yield SavedCheckpoint(step, path, export if has_weights else None)

    def resume(self, folder: Path, step: int) -> None:
        """Write the file in which SkyRL looks for the newest step."""
        (folder / TRACKER).write_text(str(step))

    def needs_ray(self, run: Run) -> bool:
        """The driver joins a Ray cluster."""
        return True

    def starts_on(self, run: Run) -> Start:
        """The driver reaches the other nodes through Ray."""
        return "first"


def _environment(run: Run, layout: Layout) -> dict[str, str]:
    environment = {
        "ROLLBOOK_METRICS": layout.metrics,
        "ROLLBOOK_CONFIG": layout.config,
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": layout.inside,
        "SKYRL_PYTHONPATH_EXPORT": "1",
        # Else what vLLM and the workers say goes to a file that nobody keeps.
        "SKYRL_DUMP_INFRA_LOG_TO_STDOUT": "1",
    }
    wandb = run.spec.tracking.wandb
    if wandb and wandb.entity:
        environment["WANDB_ENTITY"] = wandb.entity
    return environment
