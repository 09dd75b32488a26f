"""A run that does what it should: what is on the ledger, in the store, and on the screen."""

from __future__ import annotations

import json
import sys

import pytest
from live_registry import LiveRegistry, script_spec
from typed_command import Answer

MORE = "reward: reward/exact.py:compute_score\nexpect: [{reward/mean: last - first > 0.1}]\n"
SPEC = script_spec("--save-every", 4, "--reward", "varied", training=", save_every: 4", more=MORE)


@pytest.fixture(scope="module")
def trained(make_registry) -> tuple[LiveRegistry, Answer]:
    registry = make_registry()
    registry.merge({"smoke/good": SPEC})
    return registry, registry.runner("apply", "--wait")


@pytest.fixture
def registry(trained: tuple[LiveRegistry, Answer]) -> LiveRegistry:
    return trained[0]


def test_apply_says_what_it_launched_and_how_that_ended(trained):
    registry, answer = trained
    run_id = registry.run("smoke/good")["run_id"]
    assert answer.code == 0, answer
    assert "Plan: launches 1 run" in answer.err
    last = answer.out.splitlines()[-1]
    assert last == f"smoke/good seed 1 ({run_id}): ✅ succeeded, all expectations hold"


def test_every_transition_is_one_commit_that_starts_no_ci_job(registry):
    commits = registry.ledger_commits()
    run_id = registry.run("smoke/good")["run_id"]
    assert commits[0] == f"Run {run_id} succeeded [skip ci]"
    assert commits[-3:-1] == [f"Submitted {run_id} [skip ci]", f"Claim {run_id} [skip ci]"]
    assert len(commits) <= 6
    assert all(subject.endswith("[skip ci]") for subject in commits)


def test_the_ledger_keeps_the_documented_files_and_they_are_small(registry):
    files = set(registry.ledger_files())
    run_id = registry.run("smoke/good")["run_id"]
    folder = f"runs/{run_id[:2]}/{run_id}"
    run = {"record.json", "spec.json", "identity.json", "metrics.json", "checkpoint.dvc"}
    assert {f"{folder}/{name}" for name in run} <= files
    names = ("README.md", "index.json", "status.json")
    assert {f"experiments/smoke/good/{name}" for name in names} <= files
    assert {"README.md", "lineage", "active.json", "applied.json"} <= files
    size = sum(len(registry.ledger(name)) for name in files if name.startswith(folder))
    assert size < 50_000


def test_the_record_says_what_was_measured_and_where_it_ran(registry):
    attempt = registry.attempt("smoke/good")
    assert (attempt["state"], attempt["outcome"]) == ("ended", "succeeded")
    assert (attempt["step"], attempt["steps"]) == (8, 8)
    assert attempt["metrics"]["reward/mean"] == pytest.approx(1.3)
    assert attempt["judgements"][0]["verdict"] == "pass"
    assert attempt["commit"] == registry.git("rev-parse", "HEAD")
    assert attempt["environment"]["python"]
    assert json.loads(registry.ledger("active.json")) == {}
    assert json.loads(registry.ledger("applied.json"))["commit"] == attempt["commit"]


def test_status_json_is_what_a_forge_is_told(registry):
    status = json.loads(registry.ledger("experiments/smoke/good/status.json"))
    assert status["commit"] == registry.git("rev-parse", "HEAD")
    assert (status["context"], status["state"]) == ("runner/smoke/good", "success")
    assert status["description"] == "reward/mean 1.3, all expectations hold"


def test_the_page_names_the_result_and_the_next_command(registry):
    page = registry.ledger("experiments/smoke/good/README.md")
    assert "reward/mean" in page
    assert "1.3" in page
    assert "runner reproduce smoke/good" in page
    assert "smoke/good" in registry.ledger("README.md")


def test_the_store_has_the_documented_layout(registry):
    folder = registry.store("smoke/good")
    assert (folder.parent / "lease.json").exists()
    names = {path.name for path in folder.iterdir()}
    wanted = {"task.json", "heartbeat.json", "metrics.jsonl", "system.jsonl", "log.txt"}
    assert wanted | {"evidence.json", "result.json", "checkpoints"} <= names
    assert json.loads((folder / "result.json").read_text())["exit_code"] == 0
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert rows[0]["raw"]["my/own"] == 2
    assert "my/own" not in rows[0]["metrics"]
    evidence = json.loads((folder / "evidence.json").read_text())
    assert evidence["reward"]["calls"] == 16
    # keep_last: 1
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-8"]


def test_plain_dvc_fetches_the_checkpoint_by_its_pointer(registry, tmp_path):
    run_id = registry.run("smoke/good")["run_id"]
    pointer = registry.ledger(f"runs/{run_id[:2]}/{run_id}/checkpoint.dvc")
    target = registry.root / "fetched"
    target.mkdir()
    try:
        (target / "checkpoint.dvc").write_text(pointer)
        command = ("dvc", "pull", "--quiet", "--remote", "checkpoints", "fetched/checkpoint.dvc")
        answer = registry.execute(sys.executable, "-m", *command)
        assert answer.code == 0, answer
        weights = registry.store("smoke/good") / "checkpoints" / "step-8" / "step-8" / "weights.bin"
        assert (target / "checkpoint" / "weights.bin").read_bytes() == weights.read_bytes()
    finally:
        registry.execute("rm", "-rf", str(target))


def test_nothing_is_left_behind(registry):
    assert registry.processes() == []
    assert registry.scratch_folders() == []
    assert registry.git("status", "--porcelain") == ""


def test_applied_again_there_is_nothing_to_do(registry):
    before = registry.ledger_commits()
    answer = registry.succeed("apply", "--wait")
    assert (answer.out, answer.err) == ("", "Nothing to do: 1 run as planned\n")
    assert registry.ledger_commits() == before
    assert registry.succeed("plan", "--exit-code").out == answer.err


def test_a_succeeded_run_is_not_retried(registry):
    answer = registry.runner("retry", "smoke/good")
    assert answer.code == 1
    run_id = registry.run("smoke/good")["run_id"]
    assert f"run {run_id} has succeeded" in answer.err
    assert f"runner reproduce {run_id}" in answer.err
