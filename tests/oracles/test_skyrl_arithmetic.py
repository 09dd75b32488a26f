"""Our rules on batches and devices, against SkyRL's asserts: nothing that they pass fails there."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from test_skyrl_config import SPEC, arguments, run_of
from trainer_oracle import Oracle

from runner.registry import Registry
from runner.rules import check_each
from runner.spec.check import load_experiments
from runner.spec.tree import MemoryTree

CASES = 300
RULES = ("batch.", "parallel.")
REGISTRY = Registry(apiVersion="rollbook/v1", lineage="0" * 32)


class Verdict(NamedTuple):
    spec: dict[str, Any]
    rules: set[str]
    skyrl: str | None


def sampled(chance: random.Random) -> dict[str, Any]:
    """Return a spec whose batches and devices often, but not always, divide."""
    step = chance.choice((4, 6, 8, 12, 16, 24, 32, 48))
    training = {
        "steps": 5, "learning_rate": 1e-06, "prompts_per_step": step,
        "prompts_per_update": chance.choice((step, step // 2, 2, 3, 4, 8)),
        "samples_per_device": chance.choice((None, 1, 2, 3, 4, 8)),
        "sequence_parallel": chance.choice((None, None, 2, 3)),
    }  # fmt: skip
    gpus, nodes = chance.choice((1, 2, 4, 6, 8)), chance.choice((1, 1, 2, 3))
    return {
        **SPEC,
        "algorithm": {"name": "grpo", "group_size": chance.choice((2, 3, 4, 8))},
        "training": {key: value for key, value in training.items() if value is not None},
        "rollout": {"tensor_parallel": chance.choice((1, 1, 2, 3, 4))},
        "resources": {"accelerators": f"H100:{gpus}", "nodes": nodes},
    }


def rules_on(specs: list[dict[str, Any]]) -> list[set[str]]:
    """Return the rules on batches and devices that each spec trips."""
    files = {f"experiments/s{n:03}.yaml": json.dumps(one).encode() for n, one in enumerate(specs)}
    tree = MemoryTree({**files, "reward/gsm8k.py": b"def compute_score(): ...\n"})
    loaded = load_experiments(tree)
    assert loaded.findings == ()
    found = check_each(loaded, tree, REGISTRY)
    return [
        {
            one.rule for one in found[f"s{n:03}"]
            if one.level == "error" and one.rule.startswith(RULES)
        }
        for n in range(len(specs))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[Verdict]:
    chance = random.Random(20261121)  # noqa: S311
    specs = [sampled(chance) for _ in range(CASES)]
    asked = [arguments(run_of(**spec)) for spec in specs]
    folder: Path = tmp_path_factory.mktemp("skyrl")
    said = [one["error"] for one in Oracle("skyrl").ask("skyrl_config.py", asked, folder)]
    return list(map(Verdict, specs, rules_on(specs), said))


def test_what_our_rules_pass_skyrl_takes(verdicts):
    wrong = [(one.skyrl, one.spec) for one in verdicts if not one.rules and one.skyrl]
    assert wrong == []


def test_both_say_yes_and_no_often_enough(verdicts):
    assert sum(not one.rules for one in verdicts) >= 30
    assert sum(one.skyrl is not None for one in verdicts) >= 100


def test_what_only_our_rules_refuse_skyrl_would_cut_short_or_not_place(verdicts):
    """SkyRL rounds down where samples do not divide over GPUs, and leaves prompts out."""
    ours = {rule for one in verdicts if one.skyrl is None for rule in one.rules}
    assert ours <= {"batch.devices", "parallel.sequence", "parallel.tensor"}
