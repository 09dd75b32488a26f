"""Without a training environment on this machine nothing begins: the cure, and no trace."""

from __future__ import annotations

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository
from typed_command import type_command

from runner.launchers.local import LocalLauncher
from runner.storage.runfolder import open_run_store

METRICS = b'{"step": 1, "metrics": {"reward/mean": 0.5}}\n'


@pytest.fixture
def registry(make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> PlannedRegistry:
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", "/nowhere/bin/python")
    return PlannedRegistry.with_files(make_repository(), {"experiments/x.yaml": SPEC})


@pytest.mark.parametrize(
    ("command", "outcome"), [("try", None), ("retry", "failed"), ("reproduce", "succeeded")]
)
def test_it_is_said_before_anything_begins(
    registry: PlannedRegistry, command: str, outcome: str | None
) -> None:
    if outcome:
        endpoint = LocalLauncher(registry.workspace.state).endpoint()
        [run_id] = registry.run("ended", outcome=outcome, endpoint=endpoint, steps=2, step=2)
        open_run_store(registry.workspace, run_id).put("a1/epoch-1/metrics.jsonl", METRICS)
    before = registry.snapshot.commit
    said = type_command("-C", registry.folder, command, "x")
    assert said.code == 3, said
    assert "Python is not there: /nowhere/bin/python" in said.err
    assert "scripts/train-env.sh" in said.cure
    assert registry.snapshot.commit == before
    assert not (registry.workspace.state / "trials").exists()
