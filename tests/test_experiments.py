"""Every spec that the repository carries: loads, is free of errors, compiles, and is described."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from runner.algorithms import CLASSES
from runner.launching.render import render
from runner.registry import Registry
from runner.rules import check_each
from runner.spec.check import Loaded, LoadedExperiment, load_experiments, load_registry
from runner.spec.experiment import TRAINER_NAMES
from runner.spec.load import is_base
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.base import Command, planned_steps
from runner.trainers.preview import preview_layout
from runner.workspace import open_workspace

ROOT = Path(__file__).parents[1]
NAMES = sorted(
    path.relative_to(ROOT / "experiments").with_suffix("").as_posix()
    for path in (ROOT / "experiments").rglob("*.yaml")
)
EXPERIMENTS = [name for name in NAMES if not is_base(name)]
RECIPES = [name for name in EXPERIMENTS if not name.startswith("smoke/")]

RECIPES_PAGE = ROOT / "docs" / "recipes.md"

EXPECTED_HINTS = {
    "data.made": "GPU datasets are downloaded by a stage, which has not run here",
    "batch.leftover": "the last, incomplete batch of an epoch is left out",
    "environment.pinned": "SkyRL wants GPUs: what it runs in is the user's image",
    "spec.idle": "places, prices and recoveries are another launcher's",
    "storage.disk": "a 7B model's checkpoints come near a node's usual disk",
    "trainer.elsewhere": "16 nodes wait for a launcher that has them",
}
"""Hints that a spec of the repository may have; a new one is looked at before it comes here."""


@cache
def tree() -> WorkTree:
    return WorkTree(ROOT)


@cache
def registry() -> Registry:
    return load_registry(tree())


@cache
def loaded() -> Loaded:
    return load_experiments(tree())


def experiment(name: str) -> LoadedExperiment:
    return next(one for one in loaded().experiments if one.name == name)


def command(name: str, rows: int | None) -> Command:
    run = experiment(name).runs[0]
    trainer = TRAINERS[run.spec.pin.name]
    return trainer.compile(run, preview_layout(run.spec), planned_steps(run, rows))


def test_every_file_loads() -> None:
    assert loaded().findings == ()
    assert sorted(one.name for one in loaded().experiments) == EXPERIMENTS


@cache
def findings() -> dict[str, tuple[tuple[str, str, str], ...]]:
    found = check_each(loaded(), tree(), registry())
    return {
        name: tuple((one.level, one.rule, f"{one.key}: {one.message}") for one in of_name)
        for name, of_name in found.items()
    }


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_has_no_errors_and_only_the_hints_that_were_looked_at(name: str) -> None:
    found = findings()[name]
    assert [one for one in found if one[0] == "error"] == []
    assert [one for one in found if one[1] not in EXPECTED_HINTS] == []


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_trainer_refuses_nothing_and_compiles_it(name: str) -> None:
    spec = experiment(name).runs[0].spec
    assert TRAINERS[spec.pin.name].refusals(spec) == ()
    compiled = command(name, 7473)
    assert compiled.argv
    assert all(isinstance(word, str) and word for word in compiled.argv)
    for key, setting in compiled.settings.items():
        assert setting.origin, key


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_render_prints_is_what_is_compiled(name: str) -> None:
    compiled = command(name, None)
    words = shlex.split(render(open_workspace(ROOT), name, "command").replace("\\\n", ""))
    count = len(compiled.environment)
    assert [word.partition("=")[0] for word in words[:count]] == [*compiled.environment]
    assert tuple(words[count:]) == compiled.argv


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_waits_for_a_person_and_says_what_it_needs(name: str) -> None:
    spec = experiment(name).runs[0].spec
    assert spec.launch == "manual"
    assert spec.resources.accelerators
    assert spec.resources.candidates
    assert spec.description
    assert spec.hypothesis
    assert spec.expect
    assert spec.model is not None
    assert re.fullmatch("[0-9a-f]{40}", spec.model.revision or "")


def test_every_algorithm_has_a_recipe() -> None:
    used = {experiment(name).runs[0].spec.algorithm.name for name in RECIPES}
    assert used == set(CLASSES)


def test_every_trainer_with_models_has_a_recipe() -> None:
    used = {experiment(name).runs[0].spec.pin.name for name in RECIPES}
    assert used | {"script"} == set(TRAINER_NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_short_and_points_to_its_schema(name: str) -> None:
    text = (ROOT / "experiments" / f"{name}.yaml").read_text()
    depth = "../" * (name.count("/") + 1)
    kind = "base" if is_base(name) else "experiment"
    assert text.splitlines()[0] == (
        f"# yaml-language-server: $schema={depth}schemas/{kind}.v1.json"
    )
    assert len(text.splitlines()) <= 50


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_stands_in_the_table_of_recipes(name: str) -> None:
    row = next(
        (line for line in RECIPES_PAGE.read_text().splitlines() if f"[{name}]" in line), None
    )
    assert row is not None, f"add a row for {name} to docs/recipes.md"
    spec = experiment(name).runs[0].spec
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == [
        spec.algorithm.name,
        spec.trainer.replace("==", " "),
        spec.model.path.rpartition("/")[2],
        gpus(name),
    ]


def gpus(name: str) -> str:
    """The accelerators of a recipe as its row says them, such as 16 × 8 H100."""
    resources = experiment(name).runs[0].spec.resources
    kind, _, count = (resources.accelerators or "").partition(":")
    nodes = f"{resources.nodes} × " if resources.nodes > 1 else ""
    return f"{nodes}{count} {kind}"


def test_the_table_of_recipes_has_no_others() -> None:
    named = re.findall(r"^\| \[([^\]]+)\]\(../exp", RECIPES_PAGE.read_text(), re.M)
    assert sorted(named) == RECIPES
