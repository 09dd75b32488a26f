"""What is in place before a trainer starts, and what it is told."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from node_values import make_spec

from runner.errors import OutsideError
from runner.node.cpu import INSIDE
from runner.node.prepare import prepare
from runner.node.task import Limits, NodeTask
from runner.storage.store import RunStore


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(str(tmp_path / "store"))


@pytest.fixture
def make_task(tmp_path: Path):
    code = tmp_path / "code"
    (code / "data").mkdir(parents=True)
    (code / "data" / "rows.jsonl").write_text('{"prompt": "1 + 1"}\n')

    def make(spec: dict[str, object] | None = None, **changes: object) -> NodeTask:
        return NodeTask(
            **{
                "run_id": "abcd00000000",
                "attempt": "a1",
                "job": "job",
                "nonce": "n",
                "experiment": "demo",
                "seed": 7,
                "spec": make_spec(**(spec or {})),
                "steps": 8,
                "commit": "",
                "code": str(code),
                "store": str(tmp_path / "store"),
                "scratch": str(tmp_path / "scratch"),
                "train_python": sys.executable,
                "data_remote": str(tmp_path / "data"),
                "checkpoint_remote": str(tmp_path / "exports"),
                "limits": Limits(seconds=60),
                **changes,
            }
        )

    return make


def test_a_script_is_told_where_everything_is(make_task, store, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somebody/else")
    data = {"train": "data/rows.jsonl", "val": {"held-out": "data/rows.jsonl"}}
    spec = {"data": data, "reward": "reward/exact.py:compute_score"}
    prepared = prepare(make_task(spec), store, print)
    told, rows = prepared.environment, str(tmp_path / "code" / "data" / "rows.jsonl")
    assert prepared.command.argv == (sys.executable, "train.py")
    assert told["ROLLBOOK_TRAIN_DATA"] == rows
    assert json.loads(told["ROLLBOOK_VAL_DATA"]) == {"held-out": rows}
    assert (told["ROLLBOOK_SEED"], told["ROLLBOOK_STEPS"]) == ("7", "8")
    assert told["ROLLBOOK_REWARD_FILE"] == str(tmp_path / "code" / "reward" / "exact.py")
    assert told["PYTHONPATH"] == f"{tmp_path / 'code'}:{INSIDE}"
    assert told["WANDB_MODE"] == "offline"
    assert Path(told["ROLLBOOK_CHECKPOINTS"]).is_dir()
    assert (prepared.steps, prepared.first_step) == (8, 0)


def test_a_trial_is_capped(make_task, store):
    capped = make_task(limits=Limits(seconds=60, steps=3))
    assert prepare(capped, store, print).environment["ROLLBOOK_STEPS"] == "3"


def test_a_short_run_is_not_lengthened_by_the_cap(make_task, store):
    capped = make_task(limits=Limits(seconds=60, steps=30))
    assert prepare(capped, store, print).steps == 8


def test_a_retry_continues_from_its_checkpoint(make_task, store):
    name = "a1/epoch-1/checkpoints/step-4"
    store.put(f"{name}/step-4/weights", b"w")
    digest = hashlib.sha256(b"w").hexdigest()
    manifest = {"step": 4, "sha256": {"step-4/weights": digest}}
    store.put(f"{name}/manifest.json", json.dumps(manifest).encode())
    prepared = prepare(make_task(resume=name), store, print)
    assert prepared.first_step == 4
    assert (Path(prepared.layout.checkpoints) / "step-4" / "weights").read_bytes() == b"w"


def test_wandb_is_online_only_with_a_key_that_the_spec_names(make_task, store, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert prepare(make_task(), store, print).environment["WANDB_MODE"] == "offline"
    named = make_task({"secrets": ["WANDB_API_KEY"]})
    assert prepare(named, store, print).environment["WANDB_MODE"] == "online"


def test_a_training_environment_that_is_not_there_is_said_with_its_cure(make_task, store):
    with pytest.raises(OutsideError, match="Python is not there: /nonexistent") as caught:
        prepare(make_task(train_python="/nonexistent"), store, print)
    assert "RUNNER_TRAIN_PYTHON" in caught.value.cure


def test_a_run_that_starts_from_another_needs_its_export(make_task, store):
    spec = {"model": {"source": "run", "path": "first"}}
    with pytest.raises(OutsideError, match="does not say which export"):
        prepare(make_task(spec), store, print)


VERL = {
    "trainer": "verl==0.9.1",
    "script": None,
    "model": {"path": "models/tiny", "source": "path"},
    "algorithm": {"name": "sft"},
    "data": {"train": "data/rows.jsonl"},
}


@pytest.mark.parametrize(("there", "found"), [("0.8.0", "has verl 0.8.0"), ("", "has no verl")])
def test_another_version_of_the_trainer_is_refused_with_its_cure(
    make_task, store, monkeypatch, there, found
):
    installed = {"verl": there} if there else {}
    monkeypatch.setattr("runner.node.prepare.versions", lambda python: installed)
    with pytest.raises(OutsideError, match=rf"pinned to verl 0\.9\.1, and .* {found}") as caught:
        prepare(make_task(VERL), store, print)
    assert "scripts/train-env.sh" in caught.value.cure
