"""verl's keys: its Hydra configs as they compose, and the dataclasses that are made of them.

A key that only a dataclass has is not in the composed config: Hydra takes it with `+` alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import Refused
from runner.trainers.keys.fields import Dataclasses, Field, Section, type_of
from runner.trainers.keys.reads import names_read
from runner.trainers.keys.source import Source
from runner.trainers.keys.tree import Records, keys_below, record

CONFIGS = "verl/trainer/config"
ROOTS = {
    "verl.trainer.main_ppo": ("ppo_trainer", ("model_engine",)),
    "verl.trainer.sft_trainer": ("sft_trainer_engine", ("engine", "optim")),
}
"""For each entry point its root config, and the groups that a run may choose in."""
CORE = "verl/trainer/ppo"
REGISTRIES = {
    "algorithm.adv_estimator": (CORE, "register_adv_est"),
    "actor_rollout_ref.actor.policy_loss.loss_mode": (CORE, "register_policy_loss"),
    "reward.reward_manager.name": ("verl/experimental/reward_loop/reward_manager", "register"),
}
"""Keys whose values are registered in the code: the folder and the decorator."""
_TARGET = "_target_"


def entry_points(source: Source) -> dict[str, Any]:
    """Return the keys of each entry point, and how the choice of a group changes them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in source.files(CONFIGS, ".yaml"):
            place = Path(folder, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        configs = Path(folder, CONFIGS)
        return {
            entry: _entry_point(source, configs, root, groups)
            for entry, (root, groups) in ROOTS.items()
        }


def reads(source: Source) -> list[str]:
    """Return the names that the package reads from configs, whether or not they are listed."""
    return names_read(source, "verl")


def _entry_point(
    source: Source, configs: Path, root: str, groups: tuple[str, ...]
) -> dict[str, Any]:
    classes = Dataclasses(source)
    plain = _Walk(classes).walk(_compose(configs, root))
    for key, (folder, decorator) in REGISTRIES.items():
        if key in plain.keys and (names := source.registered(folder, decorator)):
            plain.keys[key]["choices"] = names
    variants: dict[str, Any] = {}
    for group in groups:
        for path in sorted((configs / group).glob("*.yaml")):
            other = _Walk(classes).walk(_compose(configs, root, f"{group}={path.stem}"))
            variants.setdefault(group, {})[path.stem] = _difference(plain, other)
    return {"keys": plain.keys, "loose": plain.loose, "groups": variants}


class _Found(NamedTuple):
    keys: Records
    loose: list[str]
    """Mappings that no dataclass is made of: `+` adds to them, and some code may read it."""


def _difference(plain: _Found, other: _Found) -> dict[str, Any]:
    return {
        "gone": sorted(plain.keys.keys() - other.keys.keys()),
        "loose": sorted(set(other.loose) - set(plain.loose)),
        "keys": {
            key: said
            for key, said in other.keys.items()
            if {**said, "choices": 0} != {**plain.keys.get(key, {}), "choices": 0}
        },
    }


def _compose(configs: Path, root: str, *overrides: str) -> dict[str, Any]:
    try:
        from hydra import compose, initialize_config_dir
        from omegaconf import OmegaConf
    except ImportError:
        raise Refused(
            "verl's configs are composed with hydra-core, which is not installed",
            cure="pip install hydra-core",
        ) from None
    with initialize_config_dir(config_dir=str(configs), version_base=None):
        config = compose(config_name=root, overrides=list(overrides))
    plain: Any = OmegaConf.to_container(config, resolve=False)
    return dict(plain)


class _Walk:
    """One way through a composed config, beside its dataclasses."""

    def __init__(self, classes: Dataclasses) -> None:
        self._classes = classes
        self._found = _Found({}, [""])

    def walk(self, config: dict[str, Any]) -> _Found:
        for key, value in config.items():
            self._entry(key, value, None)
        return self._found

    def _section(self, key: str, node: dict[str, Any], field: Field | None) -> None:
        section = _target(node) or (field.section if field else None)
        fields = self._classes.fields(section) if section else {}
        if not fields:
            is_open = field is not None and "dict" in field.types
            if is_open or not node:
                self._found.keys[key] = {"type": "dict", "default": {}}
            else:
                self._found.loose.append(key)
        for name, value in node.items():
            if name != _TARGET:
                self._entry(f"{key}.{name}", value, fields.get(str(name)))
        for name, added in _left(fields, node):
            self._add(f"{key}.{name}", added)

    def _entry(self, key: str, value: Any, field: Field | None) -> None:
        if isinstance(value, dict):
            self._section(key, value, field)
        elif field is None:
            is_filled_in = isinstance(value, str) and "${" in value
            like = "any" if is_filled_in else type_of(value)
            self._found.keys[key] = {"like": like, "default": value}
        else:
            self._found.keys[key] = record(field, value)

    def _add(self, key: str, field: Field) -> None:
        if field.section is None:
            added = {key: record(field, field.default)}
        else:
            added = {key: {"type": "|".join(field.types), "section": True}}
            added |= keys_below(self._classes, field.section, f"{key}.", field.changed)
        self._found.keys.update({name: {**said, "add": True} for name, said in added.items()})


def _left(fields: dict[str, Field], node: dict[str, Any]) -> Iterator[tuple[str, Field]]:
    return ((name, field) for name, field in fields.items() if name not in node)


def _target(node: dict[str, Any]) -> Section | None:
    module, _, name = str(node.get(_TARGET, "")).rpartition(".")
    return Section(module, name) if module else None
