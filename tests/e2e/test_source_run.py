"""Experiments that start from another experiment's checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from live_registry import script_spec

MODEL = "model: {source: run, path: a-first}\n"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return the file to which the second experiment writes what it was told."""
    return tmp_path / "told.json"


def test_one_apply_launches_both_in_turn_the_second_from_the_first_ones_checkpoint(registry, told):
    registry.merge(
        {
            "a-first": script_spec("--save-every", 8),
            "b-second": script_spec("--told", told, more=MODEL),
        }
    )
    first = registry.succeed("plan", "--json").json["actions"][0]["run_id"]
    waiting = f"starts from a-first (run {first}), which has not run"
    assert waiting in registry.succeed("plan").out
    answer = registry.succeed("apply", "--wait")
    assert answer.out.count("✅ succeeded") == 2
    environment = json.loads(told.read_text())
    assert Path(environment["ROLLBOOK_MODEL"]).name == "model"
    payload = registry.run("b-second")["run_id"]
    identity = json.loads(registry.ledger(f"runs/{payload[:2]}/{payload}/identity.json"))
    assert identity["inputs"]["upstream"] == first
    assert registry.succeed("plan", "--exit-code").out.startswith("Nothing to do")


def test_while_the_first_has_failed_the_second_waits_and_says_the_cure(registry, told):
    registry.merge(
        {
            "a-first": script_spec("--crash-at", 2),
            "b-second": script_spec("--told", told, more=MODEL),
        }
    )
    assert registry.runner("apply", "--wait").code == 5
    assert not told.exists()
    run_id = registry.run("a-first")["run_id"]
    answer = registry.succeed("plan")
    assert f"which ended failed; runner retry {run_id}" in answer.out
    assert registry.runner("plan", "--exit-code").code == 6
