"""What is launched only when a person asks: held, stale and ended runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from live_registry import REWARD, LiveRegistry, script_spec

DATA = "data: {train: data/rows.jsonl}\n"


def track_rows(registry: LiveRegistry, *rows: str) -> None:
    """Give `rows` to DVC, as a person does, and merge the pointer."""
    path = registry.root / "data" / "rows.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f'{{"prompt": "{row}"}}\n' for row in rows))
    for command in (("add", "--quiet", "data/rows.jsonl"), ("push", "--quiet")):
        answer = registry.execute(sys.executable, "-m", "dvc", *command)
        assert answer.code == 0, answer
    pointer = (registry.root / "data" / "rows.jsonl.dvc").read_text()
    registry.merge({"data/.gitignore": "/rows.jsonl\n", "data/rows.jsonl.dvc": pointer})


def test_a_manual_experiment_waits_for_launch(registry):
    registry.merge({"demo": script_spec(more="launch: manual\n")})
    answer = registry.succeed("apply", "--wait")
    assert "hold" in answer.err
    assert "lifted by runner launch demo" in answer.err
    assert answer.out == ""
    assert "✅ succeeded" in registry.succeed("launch", "demo", "--wait").out
    assert registry.attempt("demo")["outcome"] == "succeeded"
    assert registry.runner("plan", "--exit-code").code == 0


@pytest.mark.parametrize("name", ["launch", "rerun", "retry", "cancel", "show", "logs"])
def test_a_name_that_is_unknown_is_refused(registry, name):
    registry.merge({"demo": script_spec()})
    answer = registry.runner(name, "dmeo")
    assert answer.code == 1, answer
    assert "dmeo" in answer.err


def test_what_moved_under_a_spec_makes_it_stale_until_rerun(registry, tmp_path: Path):
    started = tmp_path / "started"
    track_rows(registry, "one", "two")
    reward = "reward: reward/exact.py:compute_score\n"
    spec = script_spec("--started", started, "--reward", "varied", more=DATA + reward)
    registry.merge({"demo": spec})
    registry.succeed("apply", "--wait")
    first = registry.run("demo")["run_id"]

    registry.merge({"reward/exact.py": REWARD.replace("float(", "2 * float(")})
    answer = registry.succeed("apply", "--wait")
    assert "stale" in answer.err
    assert "reward/exact.py" in answer.err
    assert "runner rerun demo" in answer.err
    registry.succeed("rerun", "demo", "--wait")
    second = registry.run("demo")["run_id"]
    assert second != first
    assert registry.record(first)["attempts"][-1]["outcome"] == "succeeded"

    track_rows(registry, "one", "two", "three")
    assert "training data md5:" in registry.succeed("apply").err
    registry.succeed("rerun", "demo", "--wait")
    third = registry.run("demo")["run_id"]
    assert len({first, second, third}) == 3
    assert len(started.read_text().split()) == 3
    listed = registry.succeed("status", "--all", "--json").json["runs"]
    assert [run["run_id"] for run in listed] == [first, second, third]
