"""What docs/recipes-on-skypilot.md says of our rendering holds for the recipes that it names."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from test_sky_task import CASES, rendered

from runner.launchers.skypilot.preview import preview
from runner.registry import Environment
from runner.rules import check_each
from runner.spec.check import load_experiments, load_registry
from runner.spec.experiment import Run
from runner.spec.tree import WorkTree
from runner.trainers import TRAINERS
from runner.trainers.base import planned_steps
from runner.trainers.preview import preview_layout

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/recipes-on-skypilot.md").read_text()
NAMES = {
    "ppo": "gsm8k/ppo-qwen2.5-0.5b",
    "grpo": "math/grpo-qwen2.5-7b",
    "tools": "tools/gsm8k-multi-turn-qwen2.5-3b",
    "skyrl": "gsm8k/skyrl-grpo-qwen2.5-1.5b",
}
IMAGE = "registry.example/trainer@sha256:" + "3" * 64


class Recipe(NamedTuple):
    """A recipe of this repository, as SkyPilot and the trainer get it."""

    run: Run
    task: Mapping[str, Any]
    text: str
    keys: Mapping[str, str]
    """The trainer's arguments, by key."""


@cache
def recipes() -> dict[str, Recipe]:
    tree = WorkTree(ROOT)
    loaded = {one.name: one for one in load_experiments(tree, list(NAMES.values())).experiments}
    registry = load_registry(tree)
    pins = {one.runs[0].spec.trainer for one in loaded.values()}
    registry = registry.model_copy(
        update={"environments": {pin: Environment(image=IMAGE) for pin in pins}}
    )
    made = {}
    for short, name in NAMES.items():
        run = loaded[name].runs[0]
        text = preview(run, "0123456789ab", "c0ffee", registry)
        layout = preview_layout(run.spec)
        command = TRAINERS[run.spec.pin.name].compile(run, layout, planned_steps(run, 7473))
        keys = dict(part.split("=", 1) for part in command.argv if "=" in part)
        made[short] = Recipe(run, yaml.safe_load(text), text, keys)
    return made


class Changed(WorkTree):
    """The work tree with one text of one recipe replaced."""

    def __init__(self, short: str, old: str, new: str) -> None:
        super().__init__(ROOT)
        self._path, self._old, self._new = f"experiments/{NAMES[short]}.yaml", old, new

    def read(self, path: str) -> bytes | None:
        content = super().read(path)
        if content is None or path != self._path:
            return content
        assert self._old in content.decode()
        return content.decode().replace(self._old, self._new).encode()


def errors(short: str, old: str, new: str) -> set[str]:
    """Return the rules that refuse a recipe with one text replaced."""
    tree = Changed(short, old, new)
    loaded = load_experiments(tree, [NAMES[short]])
    findings = check_each(loaded, tree, load_registry(tree)).get(NAMES[short], ())
    return {one.rule for one in (*loaded.findings, *findings) if one.level == "error"}


def every(holds: Callable[[Recipe], object], *shorts: str) -> None:
    for short in shorts or NAMES:
        assert holds(recipes()[short]), short


def tells_its_exit_code(recipe: Recipe) -> bool:
    run = recipe.task["run"]
    last = run.strip().splitlines()[-2:]
    return run.startswith("set -euo pipefail\n") and last[0].startswith("exec env ")


def sets_up_or_stops(recipe: Recipe) -> bool:
    return recipe.task["setup"].startswith("set -euo pipefail\n")


def leaves_ray_to_the_node(recipe: Recipe) -> bool:
    return re.search(r"\bray\b", recipe.task["setup"] + recipe.task["run"]) is None


def ends(recipe: Recipe) -> bool:
    return "vllm serve" not in recipe.text and recipe.run.spec.resources.max_duration <= 24 * 3600


def uploads_nothing_elsewhere(recipe: Recipe) -> bool:
    return "HF_TOKEN" not in recipe.text and "upload" not in " ".join(recipe.keys)


def pins_its_trainer(recipe: Recipe) -> bool:
    scripts = recipe.task["setup"] + recipe.task["run"]
    return bool(recipe.run.spec.pin.version) and not re.search(r"git |pip |--upgrade", scripts)


def pins_its_image(recipe: Recipe) -> bool:
    return recipe.task["resources"]["image_id"] == f"docker:{IMAGE}"


def pins_model_data_and_seed(recipe: Recipe) -> bool:
    model = recipe.run.spec.model
    seeds = [value for key, value in recipe.keys.items() if key.endswith("seed")]
    pinned = model is not None and re.fullmatch("[0-9a-f]{40}", model.revision or "")
    data = recipe.run.spec.data
    made = (ROOT / "dvc.yaml").read_text()  # by a stage, whose outputs dvc.lock knows by digest
    return bool(pinned) and set(seeds) == {"1"} and data is not None and data.train in made


def keeps_what_it_learns(recipe: Recipe) -> bool:
    places = ("trainer.default_local_dir", "trainer.ckpt_path")
    folder = next(recipe.keys[key] for key in places if key in recipe.keys)
    return folder.strip("'") == "$CHECKPOINTS" and recipe.run.spec.checkpoints.keep_last >= 1


def validates_and_saves(recipe: Recipe) -> bool:
    saves = int(recipe.keys.get("trainer.save_freq") or recipe.keys["trainer.ckpt_interval"])
    tests = int(recipe.keys.get("trainer.test_freq") or recipe.keys["trainer.eval_interval"])
    first = recipe.keys.get("trainer.val_before_train") or recipe.keys["trainer.eval_before_train"]
    return saves > 0 and tests > 0 and first == "true"


def trains_on_what_is_asked_for(recipe: Recipe) -> bool:
    keys, task = recipe.keys, recipe.task
    nodes = keys.get("trainer.nnodes") or keys["trainer.placement.policy_num_nodes"]
    gpus = keys.get("trainer.n_gpus_per_node") or keys["trainer.placement.policy_num_gpus_per_node"]
    asked = task["resources"]["accelerators"].rpartition(":")[2]
    return (int(nodes), gpus) == (task["num_nodes"], asked)


def keeps_keys_out_of_commands(recipe: Recipe) -> bool:
    said = recipe.task["setup"] + recipe.task["run"] + " ".join(recipe.keys)
    return recipe.task["secrets"] == {"WANDB_API_KEY": None} and "WANDB_API_KEY" not in said


def has_groups() -> None:
    every(lambda one: int(one.keys["actor_rollout_ref.rollout.n"]) >= 2, "grpo", "tools")
    assert errors("grpo", "group_size: 8", "group_size: 1") == {"spec.value"}


def has_tools_of_its_own() -> None:
    keys = recipes()["tools"].keys
    tools = keys["actor_rollout_ref.rollout.multi_turn.function_tool_path"].strip("'")
    assert (ROOT / tools.removeprefix("$CODE/")).is_file()
    assert not any("config-path" in key for key in keys)


def has_turns() -> None:
    keys = recipes()["tools"].keys
    assert int(keys["actor_rollout_ref.rollout.multi_turn.max_assistant_turns"]) == 4


def names_no_dropped_key() -> None:
    assert "generator.num_inference_engines" not in recipes()["skyrl"].keys
    tree = WorkTree(ROOT)
    findings = check_each(load_experiments(tree, [NAMES["skyrl"]]), tree, load_registry(tree))
    assert [one for one in findings[NAMES["skyrl"]] if one.rule.startswith("overrides.")] == []


def divides_or_is_refused() -> None:
    keys = recipes()["skyrl"].keys
    group = int(keys["generator.n_samples_per_prompt"])
    samples = int(keys["trainer.policy_mini_batch_size"]) * group
    gpus = int(keys["generator.inference_engine.num_engines"])
    assert samples % gpus == 0
    assert samples // gpus % int(keys["trainer.micro_train_batch_size_per_gpu"]) == 0
    refused = errors("skyrl", "accelerators: L40S:8", "accelerators: L40S:4, nodes: 3")
    assert any(rule.startswith("batch.") for rule in refused)
    taken = errors("skyrl", "accelerators: L40S:8", "accelerators: L40S:4, nodes: 2")
    assert not any(rule.startswith("batch.") for rule in taken)


def asks_all_ranks_to_meet() -> None:
    """Two nodes share a key with which they meet; the meeting itself: tests/node/test_ranks.py."""
    assert "ROLLBOOK_RANKS_KEY" in yaml.safe_load(rendered("grpo-two-nodes"))["secrets"]
    assert yaml.safe_load(rendered("grpo-two-nodes"))["num_nodes"] == 2


def opens_no_port() -> None:
    every(lambda one: "ports" not in one.text)
    for name in CASES:
        assert "ports" not in rendered(name)


CLAIMS: dict[int, Callable[[], object]] = {
    1: lambda: every(tells_its_exit_code),
    2: lambda: every(sets_up_or_stops),
    3: asks_all_ranks_to_meet,
    4: asks_all_ranks_to_meet,
    5: lambda: every(leaves_ray_to_the_node),
    6: lambda: every(ends),
    7: lambda: every(uploads_nothing_elsewhere),
    8: lambda: every(pins_its_trainer),
    9: lambda: every(pins_its_image),
    10: lambda: every(pins_model_data_and_seed),
    11: has_tools_of_its_own,
    12: names_no_dropped_key,
    13: has_groups,
    14: lambda: every(validates_and_saves),
    15: lambda: every(keeps_what_it_learns),
    16: lambda: every(trains_on_what_is_asked_for),
    17: has_turns,
    18: divides_or_is_refused,
    19: lambda: every(keeps_keys_out_of_commands),
    20: opens_no_port,
    21: lambda: every(lambda one: "WANDB_API_KEY" not in one.task["envs"]),
    22: lambda: every(lambda one: one.task["api_server_access"] is False),
}


@pytest.mark.parametrize("row", CLAIMS)
def test_what_is_said_of_our_rendering_holds(row):
    CLAIMS[row]()


def test_every_row_is_held_to_what_it_says():
    rows = [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", PAGE)]
    assert rows == list(CLAIMS)


def test_the_page_names_the_recipes():
    for name in NAMES.values():
        assert f"(../experiments/{name}.yaml)" in PAGE
