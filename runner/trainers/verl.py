"""verl 0.9.1: `main_ppo` for reinforcement learning, `sft_trainer` for supervised training.

Keys and their meaning: verl's `trainer/config/*.yaml` and `workers/config/*.py` of that version.
A key with `+` is one that verl's dataclasses read but its YAML does not list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.algorithms.base import Terms
from runner.spec.experiment import Experiment, Run
from runner.trainers import overrides, verl_ppo, verl_refusals, verl_sft
from runner.trainers.base import (
    Command,
    Layout,
    MetricLine,
    Refusal,
    SavedCheckpoint,
    Setting,
    Start,
    finished_steps,
    metric_line,
)
from runner.trainers.hydra import override

RESERVED = re.compile(
    r"data\.(train_files|val_files|seed|shuffle)|(actor_rollout_ref\.|critic\.)?model\.path"
    r"|trainer\.(default_local_dir|resume_\w+|logger|seed|n_gpus_per_node|nnodes|total_training_steps)"
    r"|reward\.custom_reward_function\..+|.+\.seed|hydra\..+|ray_kwargs\..+"
)
"""Keys of what a run reads, where it writes and how long it is: fields of the spec say these."""
TRACKER = "latest_checkpointed_iteration.txt"


class VerlTrainer:
    """verl, version 0.9.1."""

    name = "verl"
    versions: tuple[str, ...] = ("0.9.1",)
    wants_parquet = True

    def refusals(self, spec: Experiment) -> tuple[Refusal, ...]:
        """Return what verl has no key for, or would ignore."""
        return (*verl_refusals.refusals(spec), *overrides.refusals(spec.overrides, RESERVED))

    def compile(self, run: Run, layout: Layout, steps: int | None) -> Command:
        """Return verl's command line; `overrides` of the spec come last and win."""
        module = verl_sft if _terms(run).stage == "sft" else verl_ppo
        config = {"hydra.run.dir": Setting(layout.config, "node")}  # with all defaults, kept
        settings = {
            **module.settings(run, layout, steps),
            **config,
            **overrides.settings(run.spec.overrides),
        }
        arguments = tuple(override(key, setting.value) for key, setting in settings.items())
        return Command(
            (*module.program(run, layout), *arguments), _environment(run, layout), settings
        )

    def parse(self, line: str) -> MetricLine | None:
        """Read a line of verl's file logger: {"step": …, "data": {…}}."""
        return metric_line(line)

    def canonical(self, values: Mapping[str, float], run: Run) -> dict[str, float]:
        """Translate verl's names by the table in `verl_metrics`."""
        from runner.trainers import verl_metrics

        return verl_metrics.canonical(values)

    def checkpoints(self, folder: Path) -> Iterator[SavedCheckpoint]:
        """Yield what verl has finished writing.

        verl writes `latest_checkpointed_iteration.txt` last, and leaves stubs of pruned steps that
        hold no weights: a step counts when it is not newer than the former and not the latter.
        """
        for step, path in finished_steps(folder, TRACKER):
            weights = path / "actor" if (path / "actor").is_dir() else path
            if any(weights.glob("model_world_size_*")):
                export = weights / "huggingface"
                has_weights = any(export.glob("*.safetensors"))
                yield SavedCheckpoint(step, path, export if has_weights else None)

    def resume(self, folder: Path, step: int) -> None:
        """Write the file in which verl looks for the newest step."""
        (folder / TRACKER).write_text(str(step))

    def needs_ray(self, run: Run) -> bool:
        """The driver of main_ppo joins a Ray cluster; supervised training has none."""
        return _terms(run).stage == "rl"

    def starts_on(self, run: Run) -> Start:
        """main_ppo drives the other nodes through Ray; supervised training is torchrun's."""
        return "first" if self.needs_ray(run) else "all"


def _terms(run: Run) -> Terms:
    if run.spec.algorithm is None:
        raise ValueError("a verl run has an algorithm")
    return run.spec.algorithm.terms()


def _environment(run: Run, layout: Layout) -> dict[str, str]:
    environment = {
        "VERL_FILE_LOGGER_PATH": layout.metrics,
        "HYDRA_FULL_ERROR": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": layout.inside,
    }
    if run.spec.rollout.multi_turn:
        # Tools may import their neighbours; reward functions find theirs by themselves.
        environment["PYTHONPATH"] += f":{layout.code}"
    wandb = run.spec.tracking.wandb
    if wandb and wandb.entity:
        environment["WANDB_ENTITY"] = wandb.entity
    return environment
