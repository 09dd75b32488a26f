"""From when on an attempt counts that has ended, by what its run store says of it."""

from __future__ import annotations

import json
import sys

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository
from typed_command import type_command

from runner.following.observation import ask, observe
from runner.launchers.local import LocalLauncher
from runner.ledger.spending import spent_by
from runner.node.channel import HEARTBEAT
from runner.storage.runfolder import open_run_store

CLAIMED = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T01:00:00Z"


@pytest.mark.parametrize(
    ("phase", "step", "seen", "started"),
    [
        ("training", 0, None, CLAIMED),
        ("saving", 7, None, CLAIMED),
        ("ended", 7, None, CLAIMED),
        ("training", 7, LATER, LATER),
        ("preparing", 0, None, None),
        ("starting ray", 0, None, None),
        ("ended", 0, None, None),
        (None, 0, None, None),
    ],
)
def test_one_that_trained_before_anyone_looked_counts_from_its_claim(
    make_repository: MakeRepository,
    monkeypatch: pytest.MonkeyPatch,
    phase: str | None,
    step: int,
    seen: str | None,
    started: str | None,
) -> None:
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    files = {"experiments/a.yaml": SPEC + "resources: {accelerators: 'H100:8'}\n"}
    registry = PlannedRegistry.with_files(make_repository(), files)
    workspace = registry.workspace
    launcher = LocalLauncher(workspace.state)
    # A job of this machine that is gone, as after a kill.
    [run_id] = registry.run(
        "submitted", endpoint=launcher.endpoint(), job="gone", started_at=seen, claimed_at=CLAIMED
    )
    if phase:
        beat = {"time": LATER, "phase": phase, "step": step, "steps": 9, "seconds": 1.0}
        store = open_run_store(workspace, run_id)
        store.put(f"a1/epoch-1/{HEARTBEAT}", json.dumps(beat).encode())
    snapshot = registry.snapshot
    run = snapshot.find(run_id)
    ended = observe(workspace, snapshot, run, ask(launcher, [run])[run_id])
    assert (ended.outcome, ended.started_at) == ("lost", started)
    assert bool(spent_by(ended).gpu_hours) == (started is not None)


def test_without_news_it_says_so_beside_its_result(make_repository: MakeRepository) -> None:
    registry = PlannedRegistry.with_files(make_repository(), {"experiments/a.yaml": SPEC})
    registry.run("ended")
    said = type_command("-C", registry.folder, "sync")
    assert (said.code, said.out) == (0, "")
    assert said.err == "nothing has changed; runner status shows the runs\n"
