"""The committed schemas: what their command makes of the wheels, and what the trainers say."""

from __future__ import annotations

from typing import Any

import pytest
from trainer_oracle import Oracle, cannot
from trainer_wheels import CACHE, unpacked
from training_oracle import TrainingOracle

from runner.errors import OutsideError
from runner.trainers.keys.from_trl import SCRIPTS
from runner.trainers.keys.generate import text
from runner.trainers.keys.schema import DATA, load

PINS = [path.stem.split("-", 1) for path in sorted(DATA.glob("*.json"))]


@pytest.mark.parametrize(("name", "version"), PINS, ids=lambda text: text)
def test_a_schema_is_what_its_command_makes_of_the_wheel(name, version):
    try:
        made = text(name, version, cache=CACHE)
    except OutsideError as error:
        cannot(str(error))
    assert made == (DATA / f"{name}-{version}.json").read_text(), (
        f"run: runner schema --trainer {name}=={version}"
    )


@pytest.fixture(scope="module")
def trl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The options of TRL's scripts; transformers and torch are the training environment's."""
    oracle = TrainingOracle("transformers")
    folder = tmp_path_factory.mktemp("trl")
    return oracle.ask("trl_keys.py", SCRIPTS, folder, unpacked("trl", "1.16.0"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_trl_has_the_same_options(trl, script):
    keys = load("trl", "1.16.0").entry_points[f"trl.scripts.{script}"].keys
    assert keys.keys() == trl[script].keys()
    for key, said in keys.items():
        option = trl[script][key]
        if "default" in said and option["default"] != "?":
            assert said["default"] == option["default"], key
        if option["choices"] and not key.startswith("log_level"):  # made of two tables at run time
            assert said["choices"] == option["choices"], key


def test_skyrl_has_the_same_keys_and_defaults(tmp_path):
    keys = load("skyrl", "0.3.0").entry_points["skyrl.train.entrypoints.main_base"].keys
    (said,) = Oracle("skyrl").ask("skyrl_config.py", [[]], tmp_path, WANDB_API_KEY="none")
    # __post_init__ fills in what is null here.
    derived = {
        "data.dataloader.num_workers", "trainer.ref.model.path", "trainer.algorithm.temperature",
        "generator.max_input_length", "trainer.policy.megatron_config.mtp_num_layers",
    }  # fmt: skip
    values = said["values"]
    free = {key for key, one in keys.items() if "dict" in one["type"]}
    leaves = {
        key for key, value in values.items()
        if not isinstance(value, dict) and not any(key.startswith(f"{one}.") for one in free)
    }  # fmt: skip
    assert leaves <= keys.keys()
    for key in leaves - derived - free:
        default = keys[key].get("default", ...)
        if default is not ... and "~" not in str(default):
            assert default == values[key], key
