"""Runs that are killed, cancelled, out of time or waiting: nothing is lost without a word."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from live_registry import LiveRegistry, script_spec, wait_until

SAVES = ", save_every: 2"


def held(started: Path, gate: Path, step: int = 5, *more: object) -> str:
    """Return a spec that saves every 2 steps and waits at `step` until the file `gate` is there."""
    arguments = ("--save-every", 2, "--started", started, "--hold-at", step, "--until", gate)
    return script_spec(*arguments, *more, training=SAVES)


def saved(registry: LiveRegistry, name: str, step: int) -> bool:
    return (registry.store(name) / "checkpoints" / f"step-{step}" / "manifest.json").exists()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """Return the file to which every real start of the trainer adds a line."""
    return tmp_path / "started"


def test_a_killed_run_is_lost_with_its_step_and_retried_from_its_checkpoint(
    registry, started, gate
):
    registry.merge({"demo": held(started, gate)})
    registry.succeed("apply")
    registry.await_step("demo", 5)
    wait_until("checkpoint 4 is complete", lambda: saved(registry, "demo", 4))
    [job] = registry.jobs
    for process in registry.processes(job):
        process.send_signal(signal.SIGKILL)

    assert "demo: ❌ lost: its process is gone without a word" in registry.succeed("sync").out
    attempt = registry.attempt("demo")
    assert attempt["outcome"] == "lost"
    assert "is gone without a word at step 5 of 8" in attempt["reason"]
    assert attempt["cure"] == "runner retry   continues from its last checkpoint"
    assert registry.processes(job) == []
    assert registry.scratch_folders() == []

    gate.touch()
    answer = registry.succeed("retry", "demo", "--wait")
    assert "✅ succeeded" in answer.out
    assert "training from step 4\n" in registry.succeed("logs", "demo").out
    attempt = registry.attempt("demo")
    assert (attempt["number"], attempt["outcome"], attempt["step"]) == (2, "succeeded", 8)
    assert started.read_text().split() == registry.jobs
    assert steps_of_the_curve(registry, "demo") == list(range(1, 9))


def steps_of_the_curve(registry: LiveRegistry, name: str) -> list[int]:
    run_id = registry.run(name)["run_id"]
    metrics = json.loads(registry.ledger(f"runs/{run_id[:2]}/{run_id}/metrics.json"))
    return [int(step) for step, _ in metrics["curves"]["reward/mean"]]


def test_the_trainer_dies_with_its_node_program(registry, started, gate):
    registry.merge({"demo": held(started, gate, 1)})
    registry.succeed("apply")
    registry.await_step("demo", 1)
    [job] = registry.jobs
    registry.node_program(job).send_signal(signal.SIGKILL)
    wait_until("the trainer is dead", lambda: not registry.processes(job), seconds=10)

    assert "⏳" not in registry.succeed("sync", "--json").out
    assert registry.attempt("demo")["outcome"] == "lost"
    # Nothing was saved yet: another attempt starts from the beginning.
    gate.touch()
    registry.succeed("retry", "demo", "--wait")
    assert "training from step 0\n" in registry.succeed("logs", "demo").out
    assert steps_of_the_curve(registry, "demo") == list(range(1, 9))


def test_runs_take_turns_and_both_can_be_cancelled(registry, started, gate):
    registry.merge({"one": held(started, gate), "two": held(started, gate) + "seeds: [2]\n"})
    registry.succeed("apply")

    def training() -> list[str]:
        return [name for name in ("one", "two") if registry.heartbeat(name)["step"] == 5]

    [first] = wait_until("one of them trains", training)
    second = {"one": "two", "two": "one"}[first]
    wait_until("the other queues", lambda: registry.heartbeat(second)["phase"] == "queued")
    registry.succeed("sync")
    assert registry.attempt(first)["state"] == "running"
    attempt = registry.attempt(second)
    assert (attempt["state"], attempt["reason"]) == ("waiting", "queued")
    assert len(started.read_text().split()) == 1
    assert "waiting: queued" in registry.succeed("status").out

    run_id = registry.run(second)["run_id"]
    assert registry.succeed("cancel", run_id[:6]).out == f"{run_id} {second}: cancelled\n"
    assert registry.attempt(second)["outcome"] == "cancelled"
    assert registry.attempt(first)["state"] == "running"

    registry.succeed("cancel", first)
    attempt = registry.attempt(first)
    assert (attempt["outcome"], attempt["reason"]) == ("cancelled", "cancelled at step 5 of 8")
    assert registry.processes() == []
    assert registry.scratch_folders() == []
    assert len(started.read_text().split()) == 1

    answer = registry.runner("cancel", first)
    assert answer.code == 1
    assert "has ended already: cancelled" in answer.err


def test_the_time_limit_stops_a_run_that_hangs(registry, started, gate):
    spec = held(started, gate) + "resources: {max_duration: 1s}\n"
    registry.merge({"demo": spec})
    answer = registry.runner("apply", "--wait")
    assert answer.code == 5
    attempt = registry.attempt("demo")
    assert attempt["outcome"] == "failed"
    assert attempt["reason"] == "stopped at step 5 of 8: it was over its time limit of 1 s"
    assert "resources.max_duration" in answer.out
    assert registry.processes() == []


def test_a_log_is_followed_until_the_run_ends_even_without_a_word(registry, started, gate):
    registry.merge({"demo": held(started, gate, 5, "--say", "hello")})
    registry.succeed("apply")
    registry.await_step("demo", 5)
    follower = registry.start("logs", "demo", "--follow")
    for process in registry.processes(registry.jobs[0]):
        os.kill(process.pid, signal.SIGKILL)
    out, _ = follower.communicate(timeout=30)
    assert follower.returncode == 0
    assert "training from step 0\nhello\n" in out


def test_an_interrupted_apply_leaves_its_runs_going_and_the_next_one_follows_them(
    registry, started, gate
):
    registry.merge({"demo": held(started, gate)})
    apply = registry.start("apply", "--wait")
    wait_until("the trainer has started", started.exists)
    wait_until("apply follows it", lambda: registry.attempt("demo")["state"] == "running")
    time.sleep(0.5)  # between two looks
    apply.send_signal(signal.SIGINT)
    apply.communicate(timeout=30)
    assert apply.returncode == 130
    assert registry.processes(registry.jobs[0])
    gate.touch()
    assert "✅ succeeded" in registry.succeed("apply", "--wait").out
    assert len(started.read_text().split()) == 1


def test_a_store_that_is_away_for_a_while_ends_no_training(registry, started, gate):
    registry.merge({"demo": held(started, gate)})
    registry.succeed("apply")
    registry.await_step("demo", 5)
    folder = registry.store("demo")
    away = folder.rename(folder.with_name("away"))
    folder.touch()  # no folder: nothing can be written there
    time.sleep(5)
    assert registry.processes(registry.jobs[0])
    folder.unlink()
    away.rename(folder)
    gate.touch()
    assert "✅ succeeded" in registry.succeed("apply", "--wait").out
    assert steps_of_the_curve(registry, "demo") == list(range(1, 9))
