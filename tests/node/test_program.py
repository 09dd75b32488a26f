"""The node program from its task to its result: nothing trained is lost at its end."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from node_values import make_spec

from runner.errors import OutsideError
from runner.node import job, patience, program
from runner.node.checkpoints import newest_complete
from runner.node.data import DvcWorkspace
from runner.node.task import Evidence, Limits, NodeTask, Result
from runner.storage.store import RunStore

TRAIN = """\
import json, os, signal, sys, time
from pathlib import Path
folder, steps = Path(os.environ["ROLLBOOK_CHECKPOINTS"]), int(os.environ["ROLLBOOK_STEPS"])
first = max((int(path.name[5:]) for path in folder.glob("step-*")), default=0)
print("training from step", first, "with", os.environ.get("TOKEN"), sys.argv[1:], flush=True)
with open(os.environ["ROLLBOOK_METRICS"], "a") as metrics:
    for step in range(first + 1, steps + 1):
        from rollbook_reward import compute_score
        score = compute_score("set", str(step % 2), "1", {})
        print(json.dumps({"step": step, "reward/mean": score}), file=metrics, flush=True)
        (folder / f"step-{step}").mkdir()
        (folder / f"step-{step}" / "weights").write_text(f"weights {step}")
if "--stop" in sys.argv:
    for mark in sys.argv[sys.argv.index("--stop") + 1:]:
        Path(mark).touch()
    os.kill(int(os.environ["NODE"]), signal.SIGTERM)
    time.sleep(60)
"""
REWARD = "def compute_score(source, answer, truth, info):\n    return float(answer == truth)\n"
SECRET = 'a "quoted" secret'


@pytest.fixture
def _restored_signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setenv(job.MARKER, "")
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Node:
    """A run's store, and its attempts one after the other in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = RunStore(str(folder / "store"))
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "train.py").write_text(TRAIN)
        (self.code / "reward.py").write_text(REWARD)

    def run(
        self,
        attempt: str = "a1",
        *arguments: str,
        resume: str = "",
        node_variables: tuple[str, ...] = (),
        **spec: Any,
    ) -> int:
        content = {
            "script": {"command": ["python", "train.py", *arguments], "files": ["train.py"]},
            "training": {
                "steps": 4,
                "prompts_per_step": 1,
                "learning_rate": 0.1,
                "save_every": 1,
            },
            "reward": "reward.py:compute_score",
            "secrets": ["TOKEN"],
            **spec,
        }
        job_folder = self.job_folder(attempt)
        task = NodeTask(
            run_id="abcd00000000",
            attempt=attempt,
            job=job_folder.name,
            nonce=attempt,
            experiment="demo",
            seed=7,
            spec=make_spec(**content),
            steps=4,
            commit="",
            code=str(self.code),
            store=self.store.url(),
            scratch=str(self.folder / f"scratch-{attempt}"),
            train_python=sys.executable,
            data_remote=str(self.folder / "data"),
            checkpoint_remote=str(self.folder / "exports"),
            resume=resume or None,
            node_variables=node_variables,
            limits=Limits(seconds=60),
        )
        job_folder.mkdir(exist_ok=True)
        (job_folder / job.TASK).write_text(task.model_dump_json(by_alias=True))
        return program.main(job_folder / job.TASK, None)

    def job_folder(self, attempt: str) -> Path:
        return self.folder / f"{self.folder.name}-{attempt}"

    def read(self, name: str, attempt: str = "a1") -> str:
        return (self.store.get(f"{attempt}/epoch-1/{name}") or b"").decode()

    def evidence(self, attempt: str = "a1") -> Evidence:
        return Evidence.model_validate_json(self.read("evidence.json", attempt))

    def result(self, attempt: str = "a1") -> Result:
        return Result.model_validate_json(self.read("result.json", attempt))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _restored_signals: None) -> Node:
    monkeypatch.setattr(program, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("NODE", str(os.getpid()))
    monkeypatch.setenv("TOKEN", SECRET)
    return Node(tmp_path)


def test_a_run_leaves_its_evidence(node):
    assert node.run() == 0
    found = node.evidence()
    assert (found.exit_code, found.last_step, found.checkpoint_step) == (0, 4, 4)
    assert found.checkpoint_md5
    assert (found.reward.calls, found.reward.lowest, found.reward.highest) == (4, 0.0, 1.0)
    assert node.result() == Result(exit_code=0)
    assert json.loads(node.read("heartbeat.json"))["phase"] == "ended"
    assert "trainer: script" in node.read("config.yaml")


@pytest.mark.parametrize(
    "name", ["evidence.json", "result.json", "manifest.json", "heartbeat.json"]
)
def test_a_blip_of_the_store_at_the_end_costs_nothing(node, monkeypatch, name):
    put, blips = RunStore.put, []

    def put_or_fail(self: RunStore, target: str, content: bytes) -> None:
        is_end = name != "heartbeat.json" or b"saving" in content or b"ended" in content
        if target.endswith(name) and is_end and len(blips) < 3:
            blips.append(target)
            raise OutsideError("away")
        put(self, target, content)

    monkeypatch.setattr(RunStore, "put", put_or_fail)
    assert node.run() == 0
    assert len(blips) == 3
    assert node.result() == Result(exit_code=0)
    assert node.evidence().checkpoint_step == 4


def test_a_blip_of_the_remote_at_the_end_costs_nothing(node, monkeypatch):
    push, blips = DvcWorkspace.push, []

    def push_or_fail(self: DvcWorkspace, folder: Path) -> None:
        if not blips:
            blips.append(folder)
            raise OutsideError("away")
        push(self, folder)

    monkeypatch.setattr(DvcWorkspace, "push", push_or_fail)
    assert node.run() == 0
    assert blips
    assert node.evidence().checkpoint_md5


def test_the_result_is_here_even_when_the_store_never_comes_back(node, monkeypatch):
    put = RunStore.put

    def put_or_fail(self: RunStore, target: str, content: bytes) -> None:
        if target.endswith("evidence.json"):
            raise OutsideError("away")
        put(self, target, content)

    monkeypatch.setattr(RunStore, "put", put_or_fail)
    monkeypatch.setattr(patience, "STORE_PATIENCE", 0.5)
    with pytest.raises(OutsideError, match="away"):
        node.run()
    assert not node.read("result.json")
    here = node.job_folder("a1") / "published" / "result.json"
    assert Result.model_validate_json(here.read_text()).exit_code == 3


def test_a_trainer_is_stopped_when_the_store_is_given_up_under_it(node, monkeypatch):
    stopped = []
    stop = program.stop
    monkeypatch.setattr(program, "stop", lambda *given: stopped.append(stop(*given)))
    monkeypatch.setattr(program._Node, "look", fail)
    (node.code / "train.py").write_text("import time; time.sleep(60)")
    assert node.run() == 3
    assert stopped == [-signal.SIGTERM]
    assert node.result().error == "away"


def fail(*_: object) -> None:
    raise OutsideError("away")


def test_an_attempt_that_has_nothing_left_to_train_has_the_evidence_of_those_before(node):
    node.run()
    newest = newest_complete(node.store)
    assert node.run("a2", resume=newest) == 0
    assert "training from step 4" in node.read("log.txt", "a2")
    first, second = node.evidence("a1"), node.evidence("a2")
    assert second.reward == first.reward
    assert second.metrics == first.metrics == {"reward/mean": 0.0}
    assert (second.last_step, second.checkpoint_step) == (4, 4)
    assert second.checkpoint_md5 == first.checkpoint_md5

    # And so has one that continues from that.
    node.run("a3", resume=newest_complete(node.store))
    assert node.evidence("a3").reward == first.reward
    assert node.evidence("a3").metrics == first.metrics


def test_a_checkpoint_counts_without_an_export(node):
    assert node.run(checkpoints={"export": "none"}) == 0
    assert node.evidence().checkpoint_step == 4
    assert node.evidence().checkpoint_md5 is None


@pytest.mark.parametrize("cancelled", [True, False])
def test_only_the_mark_makes_a_stop_a_cancellation(node, cancelled):
    marks = (str(node.job_folder("a1") / job.CANCELLED),) if cancelled else ()
    assert node.run("a1", "--stop", *marks) == 5
    assert node.evidence().stopped == ("cancelled" if cancelled else "signal")
    assert node.result() == Result(exit_code=5, cancelled=cancelled)


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_stop_before_the_training_is_told_from_a_cancellation(node, monkeypatch, cancelled):
    def stop(*_: object) -> None:
        if cancelled:
            (node.job_folder("a1") / job.CANCELLED).touch()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(program, "prepare", stop)
    assert node.run() == 5
    why = "cancelled" if cancelled else "stopped by a signal from outside (a shutdown?)"
    error = f"{why} before it trained"
    assert node.result() == Result(exit_code=5, error=error, cancelled=cancelled)


def test_a_secret_stands_nowhere_in_the_store(node):
    node.run()
    assert "with ***" in node.read("log.txt")
    assert "with ***" in "".join(node.evidence().log_tail)
    for name in node.store.list():
        assert b"quoted" not in node.store.get(name), name


def test_what_only_the_node_needs_is_kept_from_the_trainer_and_out_of_the_store(node):
    assert node.run("a1", SECRET, node_variables=("TOKEN",), secrets=[]) == 0
    log = node.read("log.txt")
    assert "training from step 0 with None" in log
    assert "***" in log  # told by its arguments, and blotted out all the same
    names = ("log.txt", "task.json", "config.yaml", "evidence.json")
    assert all(SECRET not in node.read(name) for name in names)
    assert all(json.dumps(SECRET)[1:-1] not in node.read(name) for name in names)


def test_a_spec_that_names_a_variable_of_nodes_gets_it(node):
    assert node.run(node_variables=("TOKEN",)) == 0
    assert "training from step 0 with ***" in node.read("log.txt")
