"""A colleague's clone, and signals in the middle of a command: one training all the same."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from live_registry import LiveRegistry, copy_template, make_template, script_spec, wait_until
from real_git import GIT_CONFIG


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_template(folder, GIT_CONFIG)
    return folder


@pytest.fixture
def registry(template: Path, tmp_path: Path) -> Iterator[LiveRegistry]:
    made = copy_template(template, tmp_path / "registry")
    yield made
    made.end_everything()


@pytest.fixture
def started(tmp_path: Path) -> Path:
    return tmp_path / "started"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def held(started: Path, gate: Path) -> str:
    return script_spec("--started", started, "--hold-at", 2, "--until", gate, steps=4)


@pytest.mark.parametrize("other", ["a clone", "a copy of the clone"])
def test_a_colleague_neither_takes_nor_writes_off_a_run_that_goes_on_here(
    registry, started, gate, other
):
    registry.merge({"demo": held(started, gate)})
    registry.succeed("apply")
    registry.await_step("demo", 2)
    registry.succeed("sync")
    before = registry.run("demo")
    if other == "a clone":
        colleague = registry.clone("colleague")
    else:
        folder = registry.root.with_name("copy")
        shutil.copytree(registry.root, folder, symlinks=True)
        colleague = LiveRegistry(folder, registry.origin, Path(registry.environment["HOME"]))
    assert "copy" not in other or (colleague.root / ".rollbook/local/place").exists()
    for command in ("sync", "apply", "status"):
        assert colleague.runner(command).code == 0, command
        assert registry.run("demo") == before
    assert colleague.runner("retry", "demo").code == 1
    assert registry.run("demo") == before
    gate.touch()
    wait_until("its end", lambda: not registry.processes())
    colleague.succeed("sync")
    registry.succeed("sync")
    assert registry.attempt("demo")["outcome"] == "succeeded"
    assert started.read_text().split() == registry.jobs


@pytest.mark.parametrize("seconds", [0.2, pytest.param(1.0, marks=pytest.mark.slow)])
def test_a_command_that_is_told_to_stop_can_be_given_again(registry, started, gate, seconds):
    """SIGTERM, as a forge's runner sends it to a job that is cancelled, in each of the verbs."""
    registry.merge({"demo": held(started, gate)})

    def stopped_early(*command: str) -> None:
        process = registry.start(*command)
        wait_until("its first file", lambda: _has_begun(process.pid))
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
        assert process.returncode in (0, -signal.SIGTERM), out

    stopped_early("apply")
    registry.succeed("apply")
    registry.await_step("demo", 2)
    stopped_early("sync")
    registry.succeed("sync")
    assert registry.attempt("demo")["state"] == "running"
    gate.touch()
    wait_until("its end", lambda: not registry.processes())
    stopped_early("sync")
    registry.succeed("sync")
    assert registry.attempt("demo")["outcome"] == "succeeded"
    stopped_early("reproduce", "demo")
    answer = registry.runner("reproduce", "demo")
    assert answer.code == 0, answer
    assert "bitwise" in answer.out
    attempts, repeats = (
        [job for job in started.read_text().split() if mark in job] for mark in ("-a1-", "-r")
    )
    assert len(attempts) == 1
    assert len(repeats) == len(set(repeats)) <= 2
    assert not registry.processes()


def _has_begun(pid: int) -> bool:
    """Whether the command's modules are being loaded."""
    return any(
        "site-packages" in line for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
    )


def test_a_node_that_is_told_to_stop_leaves_a_whole_word(registry, started, gate):
    registry.merge({"demo": held(started, gate)})
    registry.succeed("apply")
    registry.await_step("demo", 2)
    [job] = registry.jobs
    registry.node_program(job).send_signal(signal.SIGTERM)
    wait_until("its end", lambda: not registry.processes())
    registry.succeed("sync")
    attempt = registry.attempt("demo")
    assert (attempt["state"], attempt["outcome"]) == ("ended", "failed")
    assert "stopped by a signal" in attempt["reason"]
    gate.touch()
    registry.succeed("retry", "demo", "--wait")
    assert registry.attempt("demo")["outcome"] == "succeeded"
    assert len(started.read_text().split()) == 2
