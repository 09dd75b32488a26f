"""What every launcher promises: one test per promise, over all of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from runner.errors import OutsideError, Refused
from runner.launchers import local as local_module
from runner.launchers.base import Launcher
from runner.launchers.local import LocalLauncher
from runner.node import job
from runner.node.task import Limits, NodeTask
from runner.spec.experiment import Experiment

SCRIPT = """\
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).open("a").write("started\\n")
open(os.environ["ROLLBOOK_METRICS"], "w").write('{"step": 1, "reward/mean": 1}\\n')
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.02)
"""


class Bench:
    """A launcher, tasks for it, and what really started."""

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self.launcher, self.folder = launcher, folder
        self.gate, self.log = folder / "gate", folder / "started"
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "train.py").write_text(SCRIPT)

    def task(self, name: str, train_python: str = sys.executable) -> NodeTask:
        command = ["python", "train.py", str(self.log), str(self.gate)]
        spec = Experiment.model_validate(
            {
                "apiVersion": "rollbook/v1",
                "trainer": "script",
                "script": {"command": command, "files": ["train.py"]},
                "training": {"steps": 1, "prompts_per_step": 1, "learning_rate": 0.1},
            }
        )
        return NodeTask(
            run_id="abcd00000000",
            attempt="a1",
            job=name,
            nonce="n",
            experiment="demo",
            seed=1,
            spec=spec,
            steps=1,
            commit="",
            code=str(self.code),
            store=str(self.folder / "store" / name),
            scratch=str(self.folder / "scratch" / name),
            train_python=train_python,
            data_remote=str(self.folder / "data"),
            checkpoint_remote=str(self.folder / "checkpoints"),
            limits=Limits(seconds=60),
        )

    @property
    def starts(self) -> int:
        return len(self.log.read_text().split()) if self.log.exists() else 0

    def await_starts(self, number: int) -> None:
        wait(lambda: self.starts >= number)

    def await_end(self, name: str) -> None:
        wait(lambda: self.launcher.poll([name])[name].state == "ended")


def wait(look: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


MAKERS: dict[str, Callable[[Path], Launcher]] = {"local": LocalLauncher}
"""How each launcher that runs things here is made with its state in a folder; what SkyPilot's
promises, test_skypilot.py shows with an API server that runs nothing, tests/sky with a real one."""


@pytest.fixture(params=list(MAKERS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(MAKERS[request.param](tmp_path / "state"), tmp_path)
    yield bench
    bench.gate.touch()
    for name in ("one", "two"):
        for process in job.marked_processes(name):
            process.kill()


def test_submitted_twice_it_starts_once(bench: Bench) -> None:
    task = bench.task("one")
    ids = {bench.launcher.submit(task) for _ in range(3)}
    assert len(ids) == 1
    assert bench.launcher.find(["one"]) == {"one": ids.pop()}
    bench.await_starts(1)
    bench.gate.touch()
    bench.await_end("one")
    bench.launcher.submit(task)
    assert bench.launcher.poll(["one"])["one"].state == "ended"
    assert bench.starts == 1


def test_nobody_finds_what_was_never_submitted(bench: Bench) -> None:
    assert bench.launcher.find(["one"]) == {}


def test_a_job_runs_until_it_has_ended(bench: Bench) -> None:
    name = bench.launcher.submit(bench.task("one"))
    bench.await_starts(1)
    assert bench.launcher.poll([name])[name].state == "running"
    bench.gate.touch()
    bench.await_end(name)
    assert job.marked_processes("one") == []


def test_a_cancelled_job_leaves_nothing(bench: Bench) -> None:
    name = bench.launcher.submit(bench.task("one"))
    bench.await_starts(1)
    bench.launcher.cancel(name)
    assert bench.launcher.poll([name])[name].state == "ended"
    assert job.marked_processes("one") == []
    bench.launcher.cancel(name)  # one that has ended is left as it is
    bench.launcher.cancel("two")  # and so is one that never was


def test_a_node_gets_the_variables_that_are_named_and_never_the_forges(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STORE_KEY", "MY_TOKEN", "OTHER_KEY", "GITHUB_TOKEN", "RUNNER_TOKEN"):
        monkeypatch.setenv(name, f"canary of {name}")
    task = bench.task("one")
    spec = task.spec.model_copy(update={"secrets": ("MY_TOKEN", "GITHUB_TOKEN")})
    variables = ("STORE_KEY", "RUNNER_TOKEN", "NOT_SET")
    bench.launcher.submit(task.model_copy(update={"spec": spec, "node_variables": variables}))
    bench.await_starts(1)
    told = [
        {name for name, value in process.environ().items() if value.startswith("canary")}
        for process in job.marked_processes("one")
    ]
    assert {"STORE_KEY", "MY_TOKEN"} in told  # the node program
    assert {"MY_TOKEN"} in told  # the trainer
    assert set().union(*told) == {"STORE_KEY", "MY_TOKEN"}


@pytest.mark.parametrize(("accelerators", "seen"), [(None, "-1"), ("H100:2", "3,5")])
def test_a_run_that_declares_no_gpus_sees_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, accelerators: str | None, seen: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    task = bench.task("one")
    resources = task.spec.resources.model_copy(update={"accelerators": accelerators})
    spec = task.spec.model_copy(update={"resources": resources})
    bench.launcher.submit(task.model_copy(update={"spec": spec}))
    bench.await_starts(1)
    told = [process.environ() for process in job.marked_processes("one")]
    assert {one["CUDA_VISIBLE_DEVICES"] for one in told} == {seen}
    assert {one.get("HIP_VISIBLE_DEVICES") for one in told} == {None if accelerators else "-1"}


def test_logs_are_lines_and_end_with_the_job(bench: Bench) -> None:
    name = bench.launcher.submit(bench.task("one", train_python="/nonexistent/python"))
    bench.await_end(name)
    assert all("\n" not in line for line in bench.launcher.logs(name, follow=True))
    assert list(bench.launcher.logs("two", follow=True)) == []


def test_its_own_endpoint_is_here_and_a_strangers_elsewhere(bench: Bench) -> None:
    assert bench.launcher.reach(bench.launcher.endpoint()) == "here"
    assert bench.launcher.reach("local:another-host:/state/local#boot") == "elsewhere"


def test_after_a_reboot_its_jobs_are_gone_and_anothers_are_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = LocalLauncher(tmp_path / "a"), LocalLauncher(tmp_path / "b")
    before = mine.endpoint()
    boot = tmp_path / "boot_id"
    boot.write_text("11111111-2222-3333-4444-555555555555\n")
    monkeypatch.setattr(local_module, "_BOOT", boot)
    assert mine.reach(before) == "gone"
    assert other.reach(before) == "elsewhere"
    assert mine.reach(mine.endpoint()) == "here"


def test_a_node_program_that_cannot_start_is_a_fault_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(LocalLauncher(tmp_path / "state"), tmp_path)
    monkeypatch.setattr(local_module.sys, "executable", "/bin/false")
    with pytest.raises(OutsideError, match="the node program did not start"):
        bench.launcher.submit(bench.task("one"))
    assert bench.launcher.find(["one"]) == {}
    monkeypatch.undo()
    assert bench.launcher.submit(bench.task("one")) == "one"
    bench.await_starts(1)
    bench.gate.touch()
    bench.await_end("one")


def test_a_launcher_asks_the_kernel_and_no_process_id(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path)
    folder = tmp_path / "local" / "one"
    folder.mkdir(parents=True)
    own = psutil.Process()
    (folder / job.PROCESS).write_text(f'{{"pid": {own.pid}, "created": {own.create_time()}}}')
    assert launcher.poll(["one"])["one"].state == "ended"


def test_what_is_left_is_told_until_it_is_released(bench: Bench) -> None:
    name = bench.launcher.submit(bench.task("one"))
    bench.await_starts(1)
    assert set(bench.launcher.left([name, "two"])) == {name}
    bench.launcher.release(name)
    assert bench.launcher.left([name]) == {}
    bench.launcher.release(name)


def test_a_shell_on_this_machine_is_refused_with_where_to_look(bench: Bench) -> None:
    name = bench.launcher.submit(bench.task("one"))
    bench.await_starts(1)
    with pytest.raises(Refused, match="of this machine") as refused:
        bench.launcher.shell(name)
    assert "node.log" in str(refused.value.cure)
    assert bench.launcher.links(name) == {}
