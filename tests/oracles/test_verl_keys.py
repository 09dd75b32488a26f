"""verl's schemas say of every key what Hydra does on the config tree of the wheel."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hydra_judge import ROOTS, Judge, composed
from omegaconf import OmegaConf
from trainer_wheels import unpacked

from runner.errors import Refused
from runner.trainers.hydra import override
from runner.trainers.keys.check import Checker
from runner.trainers.keys.schema import load

VERSIONS = ("0.8.0", "0.9.1")
CASES = [(version, entry) for version in VERSIONS for entry in ROOTS]
VARIANTS = [
    (version, entry, group, choice)
    for version, entry in CASES
    for group, choices in load("verl", version).entry_points[entry].groups.items()
    for choice in choices
]


def refused(check: Checker, key: str, value: Any) -> bool | None:
    """Whether the key is refused as none; None where it is refused as one that nothing reads."""
    kinds = {fault.kind for fault in check.faults(key, value)}
    return None if "unread" in kinds else "key" in kinds


@pytest.mark.parametrize(("version", "entry"), CASES)
def test_every_key_is_taken_as_the_schema_says(version, entry):
    """A listed key without `+`; one that only a dataclass has with `+` alone; never the other."""
    keys = load("verl", version).entry_points[entry].keys
    check = Checker(load("verl", version), entry, {})
    judge = Judge(version, entry)
    for key, said in keys.items():
        value = said.get("default")
        if isinstance(value, str) and "${" in value:
            value = None
        for prefix in ("", "+"):
            if prefix and "${" in str(said.get("default")):
                continue  # `+` replaces it where what it stands for is null
            try:
                text = override(f"{prefix}{key}", value)
            except Refused:
                continue  # a key such as capture-range-end, which a spec cannot say
            ours = refused(check, f"{prefix}{key}", value)
            # Kept, as a copy of the config takes long: a default changes nothing, and what is
            # added is asked for no more.
            assert ours in (None, judge.refuses(text, keep=True)), text


@pytest.mark.parametrize(("version", "entry"), CASES)
def test_keys_that_are_none_are_refused(version, entry):
    keys = list(load("verl", version).entry_points[entry].keys)
    check = Checker(load("verl", version), entry, {})
    judge = Judge(version, entry)
    dice = random.Random(7)  # noqa: S311
    for key in dice.sample(keys, 60):
        above, _, name = key.rpartition(".")
        for other in (f"{above}.{name}x", f"{above}x.{name}", f"x{key}"):
            other = other.lstrip(".")
            assert refused(check, other, 1) == judge.refuses(f"{other}=1"), other
            assert judge.refuses(f"~{other}"), other
            assert refused(check, f"~{other}", None), other


@pytest.mark.parametrize(("version", "entry", "group", "choice"), VARIANTS)
def test_a_choice_of_a_group_brings_its_keys(version, entry, group, choice):
    check = Checker(load("verl", version), entry, {group: choice})
    config = OmegaConf.to_container(composed(version, entry, f"{group}={choice}"), resolve=False)
    defaults = check.defaults()
    listed = dict(_leaves(config))
    assert listed.keys() <= defaults.keys()
    for key, value in listed.items():
        assert defaults[key] == value, key


def test_old_reward_keys_are_moved_by_0_8_0_and_ignored_by_0_9_1():
    calls = {
        version: "= migrate_legacy_reward_impl(" in (
            unpacked("verl", version) / "verl/trainer/main_ppo.py"
        ).read_text()
        for version in VERSIONS
    }  # fmt: skip
    assert calls == {"0.8.0": True, "0.9.1": False}
    for version, moved in calls.items():
        keys = load("verl", version).entry_points["verl.trainer.main_ppo"]
        assert (keys.unread("custom_reward_function.path") is None) == moved


def _leaves(tree: dict[str, Any], prefix: str = "") -> Any:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        elif key != "_target_":
            yield f"{prefix}{key}", value
