"""W&B's own client in a run that is recovered: no step is told twice, and none is left out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in_wandb import StandIn, serving

from runner.node import wandb
from runner.node.job import START
from runner.node.task import Limits, NodeTask
from runner.spec.experiment import Experiment

TRAIN_PYTHON = Path(__file__).resolve().parents[2] / ".venv-train" / "bin" / "python"
JOB = "rabcd00000000-a1-12345678"
# As verl's Tracking does: wandb.init with project and name, wandb.log with the step.
TRAINER = """\
import os, sys, time, wandb
first, last = int(sys.argv[1]), int(sys.argv[2])
wandb.init(project="p", name="demo", entity="team", config={})
for step in range(first, last + 1):
    wandb.log({"reward": step / 10, "start": sys.argv[3]}, step=step)
if sys.argv[4] == "killed":
    time.sleep(15)  # the client sends every few seconds
    os._exit(9)
wandb.finish()
"""


def task_of(*secrets: str) -> NodeTask:
    spec = Experiment.model_validate(
        {
            "apiVersion": "rollbook/v1",
            "trainer": "script",
            "script": {"command": ["python", "train.py"], "files": ["train.py"]},
            "training": {"steps": 8, "prompts_per_step": 1, "learning_rate": 0.1},
            "tracking": {"wandb": {"project": "p", "entity": "team"}},
            "tags": ["x" * 65, "tiny"],
            "secrets": secrets,
        }
    )
    return NodeTask(
        run_id="abcd00000000",
        attempt="a1",
        job=JOB,
        nonce="n",
        experiment="smoke/x",
        seed=1,
        commit="",
        code="",
        store="/s",
        scratch="",
        train_python="",
        data_remote="",
        checkpoint_remote="",
        spec=spec,
        steps=8,
        limits=Limits(seconds=60),
    )


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving() as stand_in:
        yield stand_in


class Starts:
    """The starts of one attempt, each on a fresh machine."""

    def __init__(self, folder: Path, server: StandIn) -> None:
        self.folder, self.server = folder, server
        self.environment = os.environ | {
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": "a" * 40,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def train(self, task: NodeTask, first: int, last: int, how: str = "to the end") -> None:
        start = f"start{len(list(self.folder.iterdir()))}"
        scratch = self.folder / start
        scratch.mkdir()
        inherited = self.environment | {START: start}
        told = inherited | wandb.variables(task, scratch, inherited)
        command = [TRAIN_PYTHON, "-c", TRAINER, str(first), str(last), start, how]
        done = subprocess.run(command, env=told, cwd=scratch, timeout=120)
        assert done.returncode == (9 if how == "killed" else 0)

    def sync(self) -> None:
        found = sorted(self.folder.glob("*/wandb/offline-run-*"))
        command = [TRAIN_PYTHON.with_name("wandb"), "sync", "--yes", *found]
        subprocess.run(command, env=self.environment, check=True, timeout=120)


@pytest.fixture
def starts(tmp_path: Path, server: StandIn) -> Starts:
    return Starts(tmp_path, server)


def test_online_a_recovered_run_goes_on_without_holes_or_repeats(starts, server):
    task = task_of("WANDB_API_KEY")
    starts.train(task, 1, 6, "killed")
    told = server.steps(JOB)
    assert told == list(range(1, len(told) + 1))
    starts.train(task, 5, 9)  # its checkpoint was that of step 4
    assert list(server.runs) == [JOB]
    assert server.steps(JOB) == list(range(1, 10))
    rewards = server.values(JOB, "reward")
    assert rewards == {step: pytest.approx(step / 10) for step in range(1, 10)}
    assert set(server.values(JOB, "start").values()) == {"start0", "start1"}
    address = wandb.address(task, starts.environment)
    assert address == f"{server.url}/team/p/runs/{JOB}"


def test_offline_each_start_is_a_run_whose_steps_are_right(starts, server):
    task = task_of()
    starts.train(task, 1, 6)
    starts.train(task, 5, 9)
    starts.sync()
    assert server.steps(f"{JOB}-start0") == [1, 2, 3, 4, 5, 6]
    assert server.steps(f"{JOB}-start1") == [5, 6, 7, 8, 9]
    assert wandb.address(task, starts.environment) == ""
