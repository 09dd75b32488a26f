"""Keys of trainers: read from source without importing it, asked by spec, shown with origins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner
from trainer_runs import GRPO, LAYOUT, SFT, run_of

from runner.cli import cli
from runner.errors import Refused
from runner.trainers import TRAINERS
from runner.trainers.keys import generate, wheel
from runner.trainers.keys.behind import fields_behind
from runner.trainers.keys.check import Checker
from runner.trainers.keys.entry import checker, entry_point
from runner.trainers.keys.fields import Dataclasses, Section
from runner.trainers.keys.notes import notes_on
from runner.trainers.keys.notes.verl import NOTES, NOWHERE
from runner.trainers.keys.schema import DATA, load, versions
from runner.trainers.keys.source import Source

ROOT = Path(__file__).parents[2]
PPO = "verl.trainer.main_ppo"
BASE = """
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, Literal, Optional, Union
import torch_that_is_not_installed

DEFAULTS = {"a": 1}
LEVELS = ("low", "high")

class Mode(str, Enum):
    SYNC = "sync"
    ASYNC = "async"

def register(name): ...

@register("first")
def one(): ...

@register(Mode.ASYNC)
def two(): ...

@dataclass
class Optimizer:
    lr: float = 1e-6
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])

@dataclass
class Base:
    seen: ClassVar[int] = 0
    _private: int = 0
    computed: int = field(init=False)
    steps: Optional[int] = None
    level: str = "low"

    def __post_init__(self):
        levels = ["low", "middle"]
        if self.level not in levels:
            raise ValueError(self.level)
"""
CONFIG = '''
from .base import *
from .base import Optimizer as Adam

@dataclass
class Config(Base):
    """What there is."""

    mode: Mode | str = Mode.SYNC
    kind: Literal["x", "y"] | None = None
    size: Union[int, float] = 2
    extra: dict = field(default_factory=lambda: copy.deepcopy(DEFAULTS))
    path: str = field(default_factory=lambda: os.path.expanduser("~/x"))
    optim: Adam = field(default_factory=lambda: Adam(lr=3.0))
    critic: Optional[Adam] = None
    made: str = field(default_factory=make)

    def read(self, config):
        return config.get("hidden"), config["other"], config.plain, elsewhere.get("nothing")
'''


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A package that could not be imported here: it needs a module that there is not."""
    path = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing/__init__.py", "from .config import Config\n")
        archive.writestr("thing/base.py", BASE)
        archive.writestr("thing/config.py", CONFIG)
    return Source(path)


def test_fields_are_read_with_their_bases_types_defaults_and_choices(source):
    fields = Dataclasses(source).fields(Section("thing", "Config"))
    said = {name: (one.types, one.default, one.choices) for name, one in fields.items()}
    unknown = fields["made"].default
    assert list(said) == [
        "steps", "level", "mode", "kind", "size", "extra", "path", "optim", "critic", "made",
    ]  # fmt: skip
    assert said["steps"] == (("int", "null"), None, ())
    assert said["level"] == (("str",), "low", ("low", "middle"))
    assert said["mode"] == (("str",), "sync", ("sync", "async"))
    assert said["kind"] == (("str", "null"), None, ("x", "y"))
    assert said["size"] == (("int", "float"), 2, ())
    assert said["extra"] == (("dict",), {"a": 1}, ())
    assert said["path"] == (("str",), "~/x", ())
    assert said["optim"] == (("dict",), unknown, ())
    assert fields["optim"].section == Section("thing.base", "Optimizer")
    assert fields["optim"].changed == {"lr": 3.0}


def test_registries_are_read_by_their_decorator(source):
    assert source.registered("thing", "register") == ["first", "async"]


def test_only_what_is_looked_up_in_a_config_counts_as_read(source):
    from runner.trainers.keys.reads import names_read

    assert names_read(source, "thing") == ["get", "hidden", "other", "plain"]


def test_a_wheel_of_another_version_is_not_taken(tmp_path):
    path = tmp_path / "verl-0.9.0-py3-none-any.whl"
    path.touch()
    with pytest.raises(Refused, match=r"no wheel of verl==0.9.1"):
        wheel.check(path, "verl", "0.9.1")


@pytest.mark.parametrize("pin", ["verl", "script", "tril==1.0", "verl=="])
def test_what_has_no_keys_is_refused(tmp_path, pin):
    with pytest.raises(Refused, match="has no keys to read"):
        generate.write(pin, None, tmp_path)


def test_adding_a_version_is_one_command(tmp_path, monkeypatch):
    """The command writes the schema of a wheel that is given to it, beside the others."""
    path = tmp_path / "skyrl-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "skyrl/train/config/config.py",
            "@dataclass\nclass SkyRLTrainConfig:\n    epochs: int = 1\n",
        )
    monkeypatch.setattr(generate, "write", _into(tmp_path / "out"))
    monkeypatch.setattr(generate.from_skyrl, "NEEDS", ())
    monkeypatch.setattr(generate.from_skyrl, "_registries", lambda source: {})
    done = CliRunner().invoke(cli, ["schema", "--trainer", "skyrl==9.9.9", "--wheel", str(path)])
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "out/skyrl-9.9.9.json").read_text())
    assert written["entry_points"]["skyrl.train.entrypoints.main_base"]["keys"] == {
        "epochs": {"type": "int", "default": 1}
    }
    assert written["wheels"] == {path.name: wheel.digest(path)}


def _into(folder: Path):
    real = generate.write
    return lambda pin, given: real(pin, given, folder)


# The schemas that there are


def test_each_version_that_a_trainer_knows_has_a_schema():
    for name, trainer in TRAINERS.items():
        if name != "script":
            assert set(trainer.versions) <= set(versions(name))
    assert versions("verl")[0] == "0.8.0"
    assert versions("nothing") == ()
    assert load("verl", "0.1") is None


def test_the_schemas_are_seen_at_the_top_and_are_in_the_wheel(tmp_path):
    top = {path.name: path.read_bytes() for path in (ROOT / "schemas/trainers").glob("*.json")}
    assert top == {path.name: path.read_bytes() for path in DATA.glob("*.json")}
    assert len(top) >= 4
    if int(metadata.version("setuptools").partition(".")[0]) < 77:
        pytest.skip("pyproject.toml asks for setuptools 77; scripts/control-env.sh installs it")
    made = subprocess.run(
        [sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(tmp_path), str(_copy(tmp_path / "tree"))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        packed = {Path(name).name for name in archive.namelist() if "/keys/data/" in name}
    assert packed == set(top)


def _copy(folder: Path) -> Path:
    """Copy what a wheel is built of: building leaves files beside it."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "runner", folder / "runner", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.parametrize(
    ("spec", "entry"),
    [
        (GRPO, PPO),
        (SFT, "verl.trainer.sft_trainer"),
        ({**GRPO, "trainer": "skyrl==0.3.0"}, "skyrl.train.entrypoints.main_base"),
        ({**GRPO, "trainer": "trl==1.16.0"}, "trl.scripts.grpo"),
        ({**GRPO, "trainer": "trl==1.16.0", "algorithm": {"name": "rloo"}}, "trl.scripts.rloo"),
        ({**SFT, "trainer": "trl==1.16.0", "algorithm": {"name": "dpo"}}, "trl.scripts.dpo"),
        ({**SFT, "trainer": "skyrl==0.3.0"}, None),
    ],
)
def test_each_algorithm_has_its_entry_point(spec, entry):
    parsed = run_of(spec).spec
    assert entry_point(parsed.pin.name, parsed.algorithm.terms()) == entry
    assert (checker(parsed) is None) == (entry is None)


def test_a_version_without_a_schema_is_not_judged():
    assert checker(run_of(GRPO, trainer="verl==0.1.0").spec) is None


# What keys stand for


def test_the_fields_behind_a_key_are_found_by_changing_them():
    behind = fields_behind(TRAINERS["verl"], run_of(GRPO), LAYOUT)
    said = {key: [".".join(map(str, path)) for path in paths] for key, paths in behind.items()}
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    assert said[f"{actor}.optim.lr"] == ["training.learning_rate"]
    assert said[f"{rollout}.n"] == ["algorithm.group_size"]
    assert "algorithm.kl.coefficient" in said[f"{actor}.kl_loss_coef"]
    assert said["data.seed"] == ["seeds"]
    assert set(said[f"{rollout}.max_model_len"]) >= {
        "data.max_prompt_tokens", "data.max_response_tokens",
    }  # fmt: skip
    assert said["trainer.default_local_dir"] == []


def test_interpolations_of_defaults_are_filled_in():
    from runner.trainers.keys.resolved import Value, _filled_in

    values = {"a.n": Value(3, "x.yaml:1"), "b.k": Value("${a.n}", "default")}
    assert _filled_in("b.k", values["b.k"], values) == (3, "default: a.n")
    gone = Value("${oc.select:a.z,null}", "default")
    assert _filled_in("b.k", gone, values) == (None, "default: a.z")
    inner = Value("${oc.select:a.z,${oc.select:.n,7}}", "default")
    assert _filled_in("a.k", inner, values)[0] == 3
    path = Value("out/${a.n}/x", "default")
    assert _filled_in("b.k", path, values)[0] == "out/3/x"
    unknown = Value("${a.b.c}", "default")
    assert _filled_in("b.k", unknown, values) == unknown


def test_nothing_reads_what_the_notes_say_nothing_reads():
    for version, entries in NOTES.items():
        for entry, notes in entries.items():
            names = load("verl", version).entry_points[entry].names
            nowhere = [key for key, note in notes.unread.items() if note.why == NOWHERE]
            assert nowhere
            assert [key for key in nowhere if key.rpartition(".")[2] in names] == []


def test_notes_lead_to_keys_that_there_are():
    for name in ("verl", "skyrl", "trl"):
        for version in versions(name):
            for entry, keys in load(name, version).entry_points.items():
                check = Checker(load(name, version), entry, {})
                notes = notes_on(name, version, entry)
                said = {**notes.moved, **notes.unread}
                assert [one.to for one in said.values() if one.to and not check.has(one.to)] == []
                assert [key for key in notes.moved if key in keys.keys] == []
                known = {*keys.keys, *notes.open}
                assert [key for key in notes.choices if key not in known] == []


# Suggestions


@pytest.mark.parametrize(
    ("key", "cure"),
    [
        ("actor_rolout_ref.actor.grad_clip", "did you mean actor_rollout_ref.actor.grad_clip?"),
        ("actor.grad_clip", "did you mean actor_rollout_ref.actor.grad_clip?"),
        ("optim.lr", "actor_rollout_ref.actor.optim.lr or critic.optim.lr"),
        ("zzz", "schemas/trainers/verl-0.9.1.json"),
    ],
)
def test_the_key_that_was_meant_is_found(key, cure):
    (fault,) = Checker(load("verl", "0.9.1"), PPO, {}).faults(key, 1)
    assert cure in fault.cure


def test_a_removed_key_of_a_newer_version_names_the_version():
    check = Checker(load("verl", "0.8.0"), PPO, {})
    (fault,) = check.faults("trainer.use_v1", False)
    assert "0.9.1 has it" in fault.message
    assert fault.cure == "pin verl==0.9.1, or delete it"
