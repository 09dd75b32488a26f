"""How a trial or a repeat fares, by what its node says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.launchers.base import JobStatus
from runner.looking.progress import job_row
from runner.spec.experiment import Experiment, Run
from runner.storage.runfolder import AttemptFolder
from runner.storage.store import RunStore

SPEC = Experiment.model_validate(
    {
        "apiVersion": "rollbook/v1",
        "trainer": "script",
        "script": {"command": ["python", "train.py"], "files": ["train.py"]},
        "training": {"steps": 8, "prompts_per_step": 1, "learning_rate": 0.1},
    }
)


@pytest.mark.parametrize(
    ("phase", "state", "reason"),
    [
        (None, "waiting", "queued"),
        ("preparing", "waiting", "preparing"),
        ("starting ray", "waiting", "starting ray"),
        ("training", "running", ""),
        ("saving", "running", ""),
    ],
)
def test_it_runs_from_the_moment_that_its_trainer_does(
    tmp_path: Path, phase: str | None, state: str, reason: str
) -> None:
    store = RunStore(str(tmp_path))
    if phase:
        beat = {"time": "2026-01-01T00:00:00Z", "phase": phase, "step": 0, "steps": 8}
        store.put("try/epoch-1/heartbeat.json", json.dumps(beat | {"seconds": 3.0}).encode())
    run = Run(experiment="x", seed=1, point={}, spec=SPEC)
    row = job_row(AttemptFolder(store, "try"), "x (try)", run, JobStatus("waiting", "queued"))
    assert (row.state, row.reason) == (state, reason)
