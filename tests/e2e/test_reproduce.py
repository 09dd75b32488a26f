"""Running a recorded run again: every verdict is reached by a real repeat."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from live_registry import LiveRegistry, script_spec
from real_git import write_files

CASES = {
    "steady": script_spec("--save-every", 8),
    "shaky": script_spec("--noise", 0.004),
    "wild": script_spec("--noise", 5),
}


@pytest.fixture(scope="module")
def registry(make_registry) -> LiveRegistry:
    registry = make_registry()
    registry.merge(CASES)
    registry.succeed("apply", "--wait")
    return registry


def repeat_file(registry: LiveRegistry, name: str, label: str, file: str) -> str:
    run_id = registry.run(name)["run_id"]
    return registry.ledger(f"runs/{run_id[:2]}/{run_id}/repeats/{label}/{file}")


def repeat(registry: LiveRegistry, name: str, label: str) -> dict[str, Any]:
    return dict(json.loads(repeat_file(registry, name, label, "repeat.json")))


def test_only_check_says_what_would_be_done_and_does_nothing(registry):
    before, jobs = registry.ledger_commits(), registry.jobs
    answer = registry.succeed("reproduce", "shaky", "--only-check")
    assert "Reproducing  shaky, seed 1, run" in answer.err
    assert "Best verdict that can be had: bitwise." in answer.err
    assert (registry.ledger_commits(), registry.jobs) == (before, jobs)


def test_a_deterministic_script_repeats_bitwise(registry):
    record = registry.run("steady")
    answer = registry.succeed("reproduce", "steady")
    assert "bitwise" in answer.out.lower()
    found = repeat(registry, "steady", "r1")
    assert found["verdict"] == "bitwise"
    assert found["environment"] == {"same": True, "differences": []}
    assert "bitwise" in repeat_file(registry, "steady", "r1", "report.md").lower()
    assert registry.run("steady") == record
    assert registry.processes() == []
    assert registry.scratch_folders() == []


def test_what_the_work_tree_holds_does_not_leak_into_a_repeat(registry):
    write_files(registry.root, {"train.py": "raise SystemExit(1)\n"})
    spec = CASES["steady"].replace("1e-3", "2e-3")
    write_files(registry.root, {"experiments/steady.yaml": spec})
    try:
        answer = registry.succeed("reproduce", "steady", "--json")
        assert answer.json["verdict"] == "bitwise"
        assert answer.json["repeat"] == "r2"
        assert "The recorded commit is used." in answer.err
        assert "0.001 → 0.002" in answer.err
    finally:
        registry.git("checkout", "--quiet", "--", ".")


def test_small_noise_repeats_the_curve_and_not_the_bits(registry):
    answer = registry.succeed("reproduce", "shaky", "--json")
    levels = {level["name"]: level["reached"] for level in answer.json["levels"]}
    assert answer.json["verdict"] == "curve"
    assert levels == {"bitwise": False, "curve": True, "statistical": None, "claim": None}


def test_a_level_that_was_required_and_is_not_reached_is_exit_5(registry):
    answer = registry.runner("reproduce", "shaky", "--require", "bitwise", "--json")
    assert (answer.code, answer.json["verdict"]) == (5, "curve")


def test_another_curve_is_not_reproduced(registry):
    answer = registry.runner("reproduce", "wild")
    assert answer.code == 5
    assert "not reproduced" in answer.out.lower()
    assert repeat(registry, "wild", "r1")["verdict"] == "not_reproduced"


def test_a_difference_of_the_environment_is_listed(registry, tmp_path: Path):
    package = tmp_path / "packages" / "torch-9.9.dist-info"
    write_files(package, {"METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 9.9\n"})
    python = tmp_path / "python"
    export = f'export PYTHONPATH="{package.parent}:$PYTHONPATH"'
    python.write_text(f'#!/bin/sh\n{export}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    answer = registry.succeed("reproduce", "steady", "--json", RUNNER_TRAIN_PYTHON=str(python))
    differences = answer.json["environment"]["differences"]
    assert differences == ["torch unknown -> 9.9"]
    report = repeat_file(registry, "steady", answer.json["repeat"], "report.md")
    assert "torch" in report


def test_what_has_not_succeeded_cannot_be_reproduced(registry):
    registry.merge({"broken": script_spec("--crash-at", 1)})
    assert registry.runner("apply", "--wait").code == 5
    answer = registry.runner("reproduce", "broken")
    assert answer.code == 1
    assert "broken has no run that succeeded" in answer.err


def test_without_the_metrics_in_full_there_is_nothing_to_compare_with(registry):
    other = registry.clone("elsewhere")  # its run store is a folder of its own
    answer = other.runner("reproduce", "steady")
    assert answer.code == 4, answer
    assert "are not in this clone's run store" in answer.err
