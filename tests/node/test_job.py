"""A job is one node program, can be found by its marker, and leaves nothing when swept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runner.errors import Refused
from runner.node import job

HOLD = """\
import sys, time
from pathlib import Path
from runner.node import job
with job.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a job's folder whose name, and so whose marker, no other test has."""
    folder = tmp_path / f"job-{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    return folder


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start(children, folder):
    def start_marked(*command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", *command],
            env={**os.environ, job.MARKER: folder.name},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        children.append(process)
        return process

    return start_marked


def test_a_new_folder_has_no_program(folder):
    assert not job.is_alive(folder)
    assert not job.has_started(folder)
    assert job.process_of(folder) is None


def test_a_program_is_found_while_it_lives(folder, start):
    process = start(HOLD, str(folder))
    assert process.stdout.readline() == "held\n"
    assert job.is_alive(folder)
    assert job.process_of(folder) == psutil.Process(process.pid)
    assert [found.pid for found in job.marked_processes(folder.name)] == [process.pid]
    with pytest.raises(Refused, match="has its node program already"), job.held(folder):
        pass
    process.kill()
    process.wait()
    assert not job.is_alive(folder)
    assert job.has_started(folder)
    assert job.process_of(folder) is None


def test_a_job_is_started_once_even_after_its_end(folder):
    with job.held(folder):
        assert job.has_started(folder)
    with pytest.raises(Refused, match="has its node program already"), job.held(folder):
        pass


def test_whoever_looks_whether_a_job_lives_does_not_keep_it_from_starting(folder):
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            job.is_alive(folder)

    (folder / job.LOCK).touch()
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with job.held(folder):
            pass
    finally:
        stop.set()
        watcher.join()


def test_jobs_take_turns_for_a_slot(tmp_path):
    slot, order = tmp_path / "slot", []

    def queue() -> None:
        with job.queued(slot):
            order.append("second")

    with job.queued(slot):
        assert not job.is_free(slot)
        second = threading.Thread(target=queue)
        second.start()
        time.sleep(0.05)
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]
    assert job.is_free(slot)


def test_sweeping_kills_what_carries_the_marker_and_nothing_else(folder, start, children):
    ours = start("import time; time.sleep(60)")
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], text=True)
    children.append(other)
    wait_for_marker(folder.name, ours.pid)
    job.sweep(folder)
    assert not psutil.pid_exists(ours.pid)
    assert other.poll() is None


def wait_for_marker(name: str, pid: int) -> None:
    deadline = time.monotonic() + 10
    while pid not in [process.pid for process in job.marked_processes(name)]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sweeping_removes_the_scratch_folder(folder, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "weights").write_text("w")
    (folder / job.TASK).write_text(f'{{"scratch": "{scratch}"}}')
    job.sweep(folder)
    assert not scratch.exists()
    job.sweep(folder)


@pytest.mark.parametrize("length", [4, 22, 23, 60])
def test_sockets_fit_below_the_temporary_folder(monkeypatch, length):
    base = "/" + "t" * (length - 1)
    monkeypatch.setattr(job.tempfile, "tempdir", base)
    folder = job.temporary_folder("one")
    assert len(str(folder)) <= job.LONGEST_TEMPORARY
    assert str(folder.parent) == (base if length < 23 else "/tmp")
    assert folder == job.temporary_folder("one") != job.temporary_folder("two")
