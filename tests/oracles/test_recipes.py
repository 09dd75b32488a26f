"""Published recipes: what no longer fits the pinned version is refused with the right reason, and
nothing else is. The trainers' own parsers say which keys fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra_judge import Judge, composed
from trainer_oracle import Oracle
from trainer_wheels import unpacked
from training_oracle import TrainingOracle

from runner.trainers.hydra import override
from runner.trainers.keys.check import Checker
from runner.trainers.keys.schema import load
from runner.trainers.skyrl_arguments import argument

RECIPES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "recipes.yaml").read_text())
RULES = {"key": "overrides.known", "unread": "overrides.read", "value": "overrides.values"}


def of(trainer: str) -> list[Any]:
    chosen = [one for one in RECIPES if one["trainer"].startswith(f"{trainer}==")]
    return [pytest.param(one, id=one["name"]) for one in chosen]


def checker(recipe: dict[str, Any]) -> Checker:
    name, _, version = recipe["trainer"].partition("==")
    return Checker(load(name, version), recipe["entry"], recipe["overrides"])


def refused(recipe: dict[str, Any]) -> set[str]:
    """Return the keys that are none of the pinned version, by our account."""
    findings = recipe.get("findings", {})
    return {key for key, (rule, _) in findings.items() if rule == "overrides.known"}


@pytest.mark.parametrize("recipe", of("verl") + of("skyrl") + of("trl"))
def test_what_does_not_fit_is_refused_with_the_reason_and_nothing_else_is(recipe):
    check = checker(recipe)
    faults = {
        key: fault
        for key, value in recipe["overrides"].items()
        for fault in check.faults(key, value)
    }
    expected = recipe.get("findings", {})
    assert faults.keys() == expected.keys()
    for key, (rule, cure) in expected.items():
        assert RULES[faults[key].kind] == rule, key
        assert cure in faults[key].cure, key


@pytest.mark.parametrize("recipe", of("verl"))
def test_hydra_refuses_the_same_keys(recipe):
    version = recipe["trainer"].partition("==")[2]
    groups = [
        f"{key}={value}"
        for key, value in recipe["overrides"].items()
        if key in ("model_engine", "engine", "optim")
    ]
    judge = Judge(version, recipe["entry"], *groups)
    arguments = {
        key: override(key, value)
        for key, value in recipe["overrides"].items()
        if f"{key}={value}" not in groups
    }
    assert {key for key, text in arguments.items() if judge.refuses(text)} == refused(recipe)
    rest = [text for key, text in arguments.items() if key not in refused(recipe)]
    composed(version, recipe["entry"], *groups, *rest)


@pytest.fixture(scope="module")
def skyrl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What SkyRL's parser says to each override of its recipes, by the argument."""
    arguments = {
        argument(key, value)
        for recipe in RECIPES
        if recipe["trainer"].startswith("skyrl==")
        for key, value in recipe["overrides"].items()
    }
    asked = sorted(arguments)
    folder = tmp_path_factory.mktemp("skyrl")
    questions = [[one] for one in asked]
    said = Oracle("skyrl").ask("skyrl_config.py", questions, folder, WANDB_API_KEY="none")
    return {one: answer["error"] or "" for one, answer in zip(asked, said, strict=True)}


@pytest.mark.parametrize("recipe", of("skyrl"))
def test_skyrl_refuses_the_same_keys(recipe, skyrl):
    said = {key: skyrl[argument(key, value)] for key, value in recipe["overrides"].items()}
    unknown = {key for key, error in said.items() if "Invalid fields" in error}
    assert unknown == refused(recipe)


@pytest.fixture(scope="module")
def trl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The options of TRL's scripts, by script."""
    scripts = [recipe["entry"].rpartition(".")[2] for recipe in RECIPES if "trl" in recipe["entry"]]
    folder = tmp_path_factory.mktemp("trl")
    oracle = TrainingOracle("transformers")
    return oracle.ask("trl_keys.py", scripts, folder, unpacked("trl", "1.16.0"))


@pytest.mark.parametrize("recipe", of("trl"))
def test_trl_lacks_the_same_options(recipe, trl):
    options = trl[recipe["entry"].rpartition(".")[2]]
    assert set(recipe["overrides"]) - set(options) == refused(recipe)
