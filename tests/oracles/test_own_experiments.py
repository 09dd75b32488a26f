"""What the experiments of the repository compile to is what their trainers take as config."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hydra_judge import composed
from omegaconf import OmegaConf
from trainer_oracle import Oracle

from runner.spec.check import LoadedExperiment, load_experiments
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.base import Command, planned_steps
from runner.trainers.preview import preview_layout

ROOT = Path(__file__).parents[2]
ROWS = 7473


@cache
def experiments() -> dict[str, LoadedExperiment]:
    return {one.name: one for one in load_experiments(WorkTree(ROOT)).experiments}


def of(trainer: str) -> list[str]:
    return [name for name, one in experiments().items() if one.runs[0].spec.pin.name == trainer]


def command(name: str) -> Command:
    run = experiments()[name].runs[0]
    layout = preview_layout(run.spec)
    return TRAINERS[run.spec.pin.name].compile(run, layout, planned_steps(run, ROWS))


def arguments(compiled: Command) -> list[str]:
    return list(compiled.argv[-len(compiled.settings) :])


@pytest.mark.parametrize("name", of("verl"))
def test_hydra_composes_it(name: str) -> None:
    compiled = command(name)
    entry = compiled.argv[-len(compiled.settings) - 1]
    given = [one for one in arguments(compiled) if not one.startswith("hydra.")]
    config = composed("0.9.1", entry, *given)
    for key, setting in compiled.settings.items():
        if not key.startswith("hydra."):
            found = OmegaConf.select(config, key.lstrip("+"))
            value = OmegaConf.to_container(found) if OmegaConf.is_config(found) else found
            assert value == setting.value, key


def test_skyrl_takes_them(tmp_path: Path) -> None:
    names = of("skyrl")
    asked = [arguments(command(name)) for name in names]
    answers = Oracle("skyrl").ask("skyrl_config.py", asked, tmp_path, WANDB_API_KEY="none")
    assert {name: one["error"] for name, one in zip(names, answers, strict=True)} == dict.fromkeys(
        names
    )
