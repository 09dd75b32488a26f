"""Trying, watching and showing: what people see, and what never leaves their machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from live_registry import LiveRegistry, script_spec, wait_until
from real_git import write_files

SECRET = "correct-horse-battery"
OTHER = "not-for-the-trainer"


@pytest.fixture(scope="module")
def registry(make_registry) -> LiveRegistry:
    registry = make_registry()
    registry.merge({"demo": script_spec("--say", "a line of the log", more="seeds: [1, 2]\n")})
    registry.succeed("apply", "--wait")
    return registry


# try


def test_a_trial_takes_a_dirty_tree_and_a_few_steps_and_leaves_no_record(registry):
    before = registry.ledger_commits()
    remote = registry.root / ".rollbook" / "remotes" / "checkpoints"
    uploaded = sorted(remote.rglob("*"))
    idea = script_spec("--save-every", 2, steps=6)
    write_files(registry.root, {"experiments/idea.yaml": idea})
    try:
        answer = registry.succeed("try", "experiments/idea.yaml", "--steps", "3")
    finally:
        (registry.root / "experiments" / "idea.yaml").unlink()
    assert "reward/mean" in answer.out
    assert "tried 3 steps" in answer.err
    assert "not recorded" in answer.err
    assert registry.ledger_commits() == before
    assert sorted(remote.rglob("*")) == uploaded
    assert registry.scratch_folders() == []


def test_a_trial_that_fails_shows_its_last_lines(registry):
    write_files(registry.root, {"experiments/idea.yaml": script_spec("--crash-at", 1)})
    try:
        answer = registry.runner("try", "experiments/idea.yaml")
    finally:
        (registry.root / "experiments" / "idea.yaml").unlink()
    assert answer.code == 5
    assert "error: failed at step 1" in answer.err
    assert "ArithmeticError: the ninth wave" in answer.err


# status, logs, show


def test_status_is_a_table_of_runs(registry):
    header, *rows = registry.succeed("status").out.splitlines()
    assert header.split() == ["EXPERIMENT", "SEED", "RUN", "STEP", "METRIC", "SINCE", "STATE"]
    assert [row.split()[:2] for row in rows] == [["demo", "1"], ["demo", "2"]]
    assert all("8 of 8" in row and row.endswith("✅ succeeded") for row in rows)


def test_status_as_json_has_the_documented_fields(registry):
    [first, _] = registry.succeed("status", "--json").json["runs"]
    documented = {
        "experiment", "run_id", "attempt", "state", "outcome", "launcher", "job", "step", "steps",
        "commit", "started_at", "ended_at", "cost", "metrics",
    }  # fmt: skip
    assert documented <= set(first)
    assert (first["experiment"], first["outcome"], first["step"]) == ("demo", "succeeded", 8)
    assert first["metrics"]["reward/mean"] == pytest.approx(0.8)


def test_sync_as_json_is_one_document(registry):
    assert len(registry.succeed("sync", "--json").json["runs"]) == 2


def test_logs_are_the_trainers_output(registry):
    run_id = registry.runs("demo")[0]["run_id"]
    expected = "training from step 0\na line of the log\ndone\n"
    assert registry.succeed("logs", run_id).out == expected
    assert registry.succeed("logs", run_id, "--follow").out == expected


def test_show_fits_a_terminal(registry):
    shown = registry.succeed("show", "demo").out
    assert "reward/mean" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_show_as_markdown_is_the_page_of_the_ledger(registry):
    shown = registry.succeed("show", "demo", "--markdown").out
    page = registry.ledger("experiments/demo/README.md")
    assert shown.splitlines()[0] == page.splitlines()[0]
    run_id = registry.runs("demo")[0]["run_id"]
    assert run_id in registry.succeed("show", run_id, "--markdown").out


def test_a_log_is_followed_while_it_grows(registry, tmp_path: Path):
    gate = tmp_path / "gate"
    registry.merge({"slow": script_spec("--hold-at", 2, "--until", gate)})
    registry.succeed("apply")
    follower = registry.start("logs", "slow", "--follow")
    registry.await_step("slow", 2)
    status = wait_until(
        "it runs", lambda: registry.succeed("sync", "--json").json["runs"][-1]["state"] == "running"
    )
    assert status
    assert "running, step 2 of 8" in registry.succeed("status").out
    gate.touch()
    out, _ = follower.communicate(timeout=60)
    assert out == "training from step 0\ndone\n"


# data


def test_a_dataset_card_is_kept_beside_the_data(registry):
    rows = '{"prompt": "1 + 1"}\n{"prompt": "2 + 2"}\n{"prompt": "1 + 1"}\n'
    write_files(registry.root, {"data/rows.jsonl": rows})
    answer = registry.runner("data", "card", "data/rows.jsonl", "--write")
    assert answer.code == 1
    assert "is no output that DVC tracks" in answer.err
    registry.execute(sys.executable, "-m", "dvc", "add", "--quiet", "data/rows.jsonl")
    card = registry.succeed("data", "card", "data/rows.jsonl", "--write").json
    assert (card["rows"], card["columns"], card["duplicates"]) == (3, ["prompt"], 1)
    assert "sample_sha256" in (registry.root / "data" / "rows.jsonl.dvc").read_text()
    # The pointer is still DVC's: it reads it, and the data's digest is what it was.
    assert registry.execute(sys.executable, "-m", "dvc", "status", "--quiet").code == 0


# secrets


def test_only_secrets_that_a_spec_names_reach_the_trainer_and_none_is_kept(
    make_registry, tmp_path: Path
):
    registry, told = make_registry(), tmp_path / "told.json"
    settings = (registry.root / "registry.yaml").read_text()
    spec = script_spec("--told", told, "--say", SECRET, more="secrets: [MY_TOKEN]\n")
    permitted = f'{settings}\nsecrets: {{"**": [MY_TOKEN]}}\n'
    script = (registry.root / "train.py").read_text()
    # A careless script: the value is in its log.
    careless = script.replace("print(options.say)", 'print(os.environ["MY_TOKEN"])')
    spec = spec.replace(SECRET, "careless")
    registry.merge({"demo": spec, "registry.yaml": permitted, "train.py": careless})
    secrets = {"MY_TOKEN": SECRET, "GITHUB_TOKEN": OTHER, "RUNNER_TOKEN": OTHER}
    answer = registry.succeed("apply", "--wait", **secrets)

    environment = json.loads(told.read_text())
    assert environment["MY_TOKEN"] == SECRET
    assert OTHER not in environment.values()
    assert SECRET not in answer.out + answer.err
    logs = registry.succeed("logs", "demo").out
    assert "***" in logs
    assert SECRET not in logs
    kept = [path for path in registry.run_store.rglob("*") if path.is_file()]
    assert all(SECRET not in path.read_text(errors="replace") for path in kept)
    assert all(SECRET not in registry.ledger(path) for path in registry.ledger_files())


def test_a_secret_that_the_registry_does_not_permit_is_refused(make_registry):
    registry = make_registry()
    registry.merge({"demo": script_spec(more="secrets: [MY_TOKEN]\n")})
    answer = registry.runner("apply", MY_TOKEN=SECRET)
    assert answer.code == 1
    assert "does not permit the secret `MY_TOKEN`" in answer.err
