"""A node program that is stopped and started again: it goes on where it was, and says so."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from node_values import make_spec

from runner.node import job, restarts
from runner.node.lease import current, refused
from runner.node.task import Evidence, Limits, NodeTask, Result
from runner.node.whereabouts import read_whereabouts, stays
from runner.report.curves import Curves, read_curves
from runner.storage.store import RunStore

TRAINER = Path(__file__).parent.parent / "e2e" / "tiny_trainer.py"
PLACE = {"cloud": "GCP", "region": "us-central1", "zone": "us-central1-a", "cluster_name": "c"}
TASK_ID = "sky-managed-2026-01-01_demo_7-0"
DEADLINE = 60.0


class Run:
    """One attempt of a run: its store, and the node programs that are started for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = RunStore(str(folder / "store"))
        self.gate = folder / "gate"
        self.started: list[subprocess.Popen[bytes]] = []
        self.code = folder / "code"
        self.code.mkdir()
        shutil.copy(TRAINER, self.code / "train.py")

    def start(
        self,
        *arguments: str,
        limits: Limits,
        task_id: str = TASK_ID,
        attempt: str = "a1",
        **spec: Any,
    ) -> subprocess.Popen[bytes]:
        """Start the node program in a fresh folder, as on a fresh machine."""
        name = f"abcd00000000-{attempt}-12345678"
        folder = self.folder / f"machine-{len(self.started)}" / name
        folder.mkdir(parents=True)
        content = {
            "script": {"command": ["python", "train.py", *arguments], "files": ["train.py"]},
            "training": {"steps": 8, "prompts_per_step": 1, "learning_rate": 0.1, "save_every": 2},
            "resources": {"candidates": [{"infra": "gcp", "spot": True}]},
            "checkpoints": {"export": "none"},
            **spec,
        }
        task = NodeTask(
            run_id="abcd00000000",
            attempt=attempt,
            job=name,
            nonce=attempt,
            experiment="demo",
            seed=7,
            spec=make_spec(**content),
            steps=8,
            commit="",
            code=str(self.code),
            store=self.store.url(),
            scratch=str(folder / "scratch"),
            train_python=sys.executable,
            data_remote=str(self.folder / "data"),
            checkpoint_remote=str(self.folder / "exports"),
            limits=limits,
        )
        (folder / job.TASK).write_text(task.model_dump_json(by_alias=True))
        command = [sys.executable, "-m", "runner", "node", str(folder / job.TASK)]
        told = {
            "SKYPILOT_TASK_ID": task_id,
            "SKYPILOT_CLUSTER_INFO": json.dumps(PLACE),
            "ROLLBOOK_TEST": str(self.folder),
        }
        with (folder / "node.log").open("wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **told}, stdout=log, stderr=subprocess.STDOUT
            )
        self.started.append(process)
        return process

    def hold(self, limits: Limits, attempt: str = "a1") -> subprocess.Popen[bytes]:
        """Start a trainer that waits at step 5 for the gate, and return once it is there."""
        epoch = self.newest(attempt) + 1
        process = self.start(
            *("--save-every", "2", "--hold-at", "5", "--until", str(self.gate)),
            limits=limits,
            attempt=attempt,
        )
        self.wait(lambda: self.beat(epoch, attempt)["step"] == 5, f"step 5 of start {epoch}")
        saved = f"{attempt}/epoch-{epoch}/checkpoints/step-4/manifest.json"
        self.wait(lambda: self.store.exists(saved), "checkpoint 4")
        return process

    def newest(self, attempt: str = "a1") -> int:
        lease = current(self.store, attempt)
        return lease.epoch if lease else 0

    def wait(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not reached():
            assert time.monotonic() < deadline, f"{what} did not come\n{self.log()}"
            time.sleep(0.05)

    def end(self, process: subprocess.Popen[bytes]) -> int:
        return process.wait(DEADLINE)

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*/*/node.log")))

    def read(self, epoch: int, name: str, attempt: str = "a1") -> str:
        return (self.store.get(f"{attempt}/epoch-{epoch}/{name}") or b"").decode()

    def beat(self, epoch: int, attempt: str = "a1") -> dict[str, Any]:
        text = self.read(epoch, "heartbeat.json", attempt)
        return {"step": 0, "phase": "", **json.loads(text or "{}")}

    def result(self, epoch: int) -> Result | None:
        text = self.read(epoch, "result.json")
        return Result.model_validate_json(text) if text else None

    def curves(self, last: int) -> Curves:
        return read_curves([self.read(n, "metrics.jsonl").splitlines() for n in range(1, last + 1)])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    for process in made.started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


THREE = Limits(seconds=600, preemptions=3)


def test_one_that_is_interrupted_goes_on_from_its_checkpoint(run):
    first = run.hold(THREE)
    began = time.monotonic()
    first.send_signal(signal.SIGTERM)
    assert run.end(first) == 5
    assert time.monotonic() - began < 20
    assert run.beat(1)["phase"] == restarts.INTERRUPTED
    assert run.beat(1)["step"] == 5
    assert run.result(1) is None
    assert not run.read(1, "evidence.json")

    run.gate.touch()
    assert run.end(run.start("--save-every", "2", limits=THREE)) == 0
    log = run.read(2, "log.txt")
    assert "start 2, from a1/epoch-1/checkpoints/step-4: trains on after step 4, 1 step" in log
    assert "training from step 4" in log
    assert run.result(2) == Result(exit_code=0)
    evidence = Evidence.model_validate_json(run.read(2, "evidence.json"))
    assert (evidence.last_step, evidence.checkpoint_step) == (8, 8)
    assert evidence.metrics["reward/mean"] == 0.8

    curves = run.curves(2)
    for name in ("reward/mean", "train/loss"):
        assert curves.by_name[name].steps == tuple(range(1, 9))
    assert run.beat(2)["phase"] == "ended"
    found = read_whereabouts(run.store, "a1", 2)
    assert found is not None
    assert (found.first_step, found.lost_steps, found.spot) == (4, 1, True)
    assert [
        (one.where, one.spot, one.first_step, one.last_step) for one in stays(run.store, "a1")
    ] == [
        ("gcp/us-central1/us-central1-a", True, 0, 5),
        ("gcp/us-central1/us-central1-a", True, 4, 8),
    ]
    assert all(one.seconds > 0 for one in stays(run.store, "a1"))


def test_one_whose_machine_is_gone_without_a_word_goes_on_too(run):
    first = run.hold(THREE)
    first.kill()
    run.end(first)
    run.gate.touch()
    assert run.end(run.start("--save-every", "2", limits=THREE)) == 0
    assert "training from step 4" in run.read(2, "log.txt")
    assert run.curves(2).by_name["reward/mean"].steps == tuple(range(1, 9))


def test_a_second_submission_is_refused_and_harms_nothing(run):
    first = run.hold(THREE)
    second = run.start(limits=THREE, task_id="sky-managed-2026-01-01_demo_8-0")
    assert run.end(second) == 1
    assert "is being trained by job abcd00000000-a1-12345678 sky-managed-2026-01-01_demo_7-0" in (
        run.log()
    )
    [mark] = refused(run.store, "a1")
    assert "demo_8-0" in mark
    assert first.poll() is None
    run.gate.touch()
    assert run.end(first) == 0
    assert run.result(1) == Result(exit_code=0)
    assert run.newest() == 1


def test_more_preemptions_than_allowed_end_it_with_a_word(run):
    one = Limits(seconds=600, preemptions=1)
    for _ in range(2):
        process = run.hold(one)
        process.kill()
        run.end(process)
    assert run.end(run.start(limits=one)) == 3
    result = run.result(3)
    assert result is not None
    assert result.error == (
        "its machines were taken away 2 times, and `resources.recover.preemptions` allows 1"
    )
    assert run.beat(3)["phase"] == "ended"


def test_the_last_start_that_is_allowed_leaves_a_result(run):
    process = run.hold(Limits(seconds=600))
    process.send_signal(signal.SIGTERM)
    assert run.end(process) == 5
    assert run.result(1) == Result(exit_code=5)
    assert Evidence.model_validate_json(run.read(1, "evidence.json")).stopped == "signal"


def test_a_cancelled_one_is_not_taken_for_interrupted(run):
    process = run.hold(THREE)
    restarts.mark_cancelled(run.store, "a1")
    process.send_signal(signal.SIGTERM)
    assert run.end(process) == 5
    assert run.result(1) == Result(exit_code=5, cancelled=True)
    # Whoever starts it again all the same finds that it has ended.
    assert run.end(run.start(limits=THREE)) == 5
    assert run.result(2) is None
    assert not run.store.exists("a1/epoch-2")


def test_one_that_is_sent_although_it_was_cancelled_does_not_train(run):
    """By a runner that had not heard of it, and died before it could stop it again."""
    restarts.mark_cancelled(run.store, "a1")
    assert run.end(run.start("--save-every", "2", limits=THREE)) == 5
    told = Result(exit_code=5, error="cancelled before it trained", cancelled=True)
    assert run.result(1) == told
    assert (run.beat(1)["phase"], run.beat(1)["step"]) == ("ended", 0)
    assert not run.read(1, "metrics.jsonl")


def test_a_trainer_that_fails_is_started_again_as_often_as_allowed(run):
    once = Limits(seconds=600, errors=1, preemptions=3)
    # Slow enough for a checkpoint to be seen whole before the end.
    arguments = ("--save-every", "2", "--crash-at", "5", "--pause", "1.5")
    assert run.end(run.start(*arguments, limits=once)) == 5
    assert run.beat(1)["phase"] == restarts.FAILED
    assert run.result(1) is None
    assert run.end(run.start(*arguments, limits=once)) == 5
    assert re.search("training from step [24]", run.read(2, "log.txt"))
    assert run.result(2) == Result(exit_code=5)
    assert (
        "the ninth wave" in Evidence.model_validate_json(run.read(2, "evidence.json")).log_tail[-1]
    )


def test_a_recovered_repeat_goes_on_from_its_own_checkpoint(run):
    """And never from that of the run which it repeats."""
    run.gate.touch()
    assert run.end(run.start("--save-every", "2", limits=THREE)) == 0
    run.gate.unlink()
    first = run.hold(THREE, "r1")
    first.kill()
    run.end(first)
    assert run.end(run.start("--save-every", "2", limits=THREE, attempt="r1")) == 0
    assert "start 2, from r1/epoch-1/checkpoints/step-4" in run.read(2, "log.txt", "r1")


def test_what_earlier_starts_took_counts_for_the_time_limit(run):
    process = run.hold(THREE)
    process.kill()
    run.end(process)
    taken = float(run.beat(1)["seconds"])
    limits = Limits(seconds=int(taken) + 1, preemptions=3)
    run.end(run.start("--hold-at", "5", "--until", str(run.gate), limits=limits))
    evidence = Evidence.model_validate_json(run.read(2, "evidence.json"))
    assert evidence.stopped == "time_limit"
