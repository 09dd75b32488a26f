"""`runner new`: specs from recipes validate as they are written."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from real_git import write_files

from runner.__main__ import run
from runner.authoring.new import experiments, new, recipes
from runner.errors import Refused
from runner.validate import validate

SETTINGS = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n"
NAMES = [recipe.name for recipe in recipes()]


@pytest.fixture
def registry(tmp_path):
    write_files(tmp_path, {"registry.yaml": SETTINGS, "schemas/experiment.v1.json": "{}"})
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_validates_in_an_empty_registry(registry, name):
    written = new(registry, f"team/{name}", name)
    found = validate(registry, [f"team/{name}"]).findings
    assert [one for one in found if one.level == "error"] == []
    assert {one.rule for one in found} <= {"model.pinned", "environment.pinned"}  # a hub, an image
    assert written[0] == f"experiments/team/{name}.yaml"
    assert all((registry / path).is_file() for path in written)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_what_each_part_is_for(registry, name):
    (path, *_) = new(registry, f"a/b/{name}", name)
    lines = (registry / path).read_text().splitlines()
    schema = re.search(r"\$schema=(\S+)", lines[0])[1]
    assert ((registry / path).parent / schema).resolve() == registry / "schemas/experiment.v1.json"
    assert sum("#" in line for line in lines) >= 6
    assert f"`runner launch a/b/{name}`" in "\n".join(lines)
    assert not any("NAME" in line or "SCHEMA" in line or len(line) > 110 for line in lines)


def test_every_recipe_has_a_summary_and_the_common_algorithms_have_one():
    assert all(40 < len(one.summary) < 100 and one.summary[-1] == "." for one in recipes())
    assert {"sft", "grpo", "ppo", "dapo", "dpo", "script"} <= set(NAMES)


def test_nothing_is_written_over(registry):
    write_files(registry, {"reward/example.py": "def compute_score(): ...\n"})
    written = new(registry, "x")
    assert "reward/example.py" not in written
    assert (registry / "reward/example.py").read_text() == "def compute_score(): ...\n"
    before = (registry / "experiments/x.yaml").read_bytes()
    with pytest.raises(Refused, match="is there already"):
        new(registry, "experiments/x.yaml", "sft")
    assert (registry / "experiments/x.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["Big", "bases/x", "../x", "a b", "", "plan"])
def test_what_cannot_name_an_experiment_is_refused(registry, name):
    with pytest.raises(Refused, match="cannot name an experiment"):
        new(registry, name)
    assert not (registry / "experiments").exists()


def test_an_experiment_of_the_registry_is_a_source_too(registry):
    new(registry, "first", "script")
    (one,) = experiments(registry)
    assert (one.name, one.summary) == ("first", "Our own training loop.")
    assert new(registry, "deep/er/second", "experiments/first.yaml") == (
        "experiments/deep/er/second.yaml",
    )
    first, second = (registry / f"experiments/{name}.yaml" for name in ("first", "deep/er/second"))
    assert second.read_text() == first.read_text().replace("../schemas", "../../../schemas")
    assert validate(registry).findings == ()


def test_an_unknown_source_is_refused_with_the_nearest(registry):
    with pytest.raises(Refused, match="neither a recipe nor an experiment `grop`") as refused:
        new(registry, "x", "grop")
    assert "`grpo`" in refused.value.cure


def test_the_example_reward_and_rows_belong_together(registry):
    new(registry, "x", "grpo")
    place = registry / "reward/example.py"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("r", place))
    module.__spec__.loader.exec_module(module)
    rows = {
        part: _rows(registry / f"data/example/prompts.{part}.jsonl") for part in ("train", "val")
    }
    for row in rows["train"]:
        assert (
            module.compute_score("example", f"So:\n{row['ground_truth']}", row["ground_truth"]) == 1
        )
        assert (
            module.compute_score("example", f"{row['ground_truth']} or so", row["ground_truth"])
            == 0
        )
    prompts = {part: {row["prompt"] for row in of_part} for part, of_part in rows.items()}
    assert (len(prompts["train"]), len(prompts["val"])) == (64, 16)
    assert not prompts["train"] & prompts["val"]


def test_the_example_script_trains(registry, tmp_path):
    new(registry, "x", "script")
    spec = yaml.safe_load((registry / "experiments/x.yaml").read_text())
    program, *arguments = spec["script"]["command"]
    assert program == "python"
    told = {
        "METRICS": tmp_path / "metrics.jsonl",
        "CHECKPOINTS": tmp_path / "kept",
        "SEED": 1,
        "STEPS": 12,
    }
    environment = {f"ROLLBOOK_{name}": str(value) for name, value in told.items()}
    subprocess.run(
        [sys.executable, *arguments], cwd=registry, env={**os.environ, **environment}, check=True
    )
    losses = [row["train/loss"] for row in _rows(told["METRICS"])]
    assert len(losses) == 12
    assert losses == sorted(losses, reverse=True)
    assert sorted(path.name for path in told["CHECKPOINTS"].iterdir()) == ["step-10", "step-12"]


def test_the_command_lists_and_writes(registry, capsys):
    assert run(["-C", str(registry), "new", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n{name} " in listed for name in NAMES)
    assert run(["-C", str(registry), "new", "mine/first", "--from", "sft"]) == 0
    out, err = capsys.readouterr()
    assert "wrote experiments/mine/first.yaml" in out
    assert "runner pin mine/first" in out
    assert "[model.pinned]" in err
    assert run(["-C", str(registry), "new", "mine/first"]) == 1
    assert run(["-C", str(registry), "new"]) == 2


def _rows(path: Path) -> list:
    return [json.loads(line) for line in path.read_text().splitlines()]
