"""Shared memory of a job: noted by inode, freed when the job is dead, others' left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from runner.node import shared_memory

MAP = """\
import multiprocessing, sys, time
from multiprocessing.shared_memory import SharedMemory

if sys.argv[1] == "segment":
    held = SharedMemory(create=True, size=64)
else:
    held = multiprocessing.get_context("spawn").Semaphore()
print("mapped", flush=True)
time.sleep(60)
"""


def in_shared_memory() -> set[str]:
    return {path.name for path in Path("/dev/shm").iterdir()}


@pytest.mark.parametrize("kind", ["segment", "semaphore"])
def test_what_a_killed_process_has_left_is_freed(tmp_path, kind):
    before = in_shared_memory()
    process = subprocess.Popen([sys.executable, "-c", MAP, kind], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "mapped\n"
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    shared_memory.note(tmp_path, family)
    for one in family:  # its resource tracker too, which would have cleaned up
        one.kill()
    process.wait()
    process.stdout.close()
    made = set(shared_memory.left(tmp_path))
    assert len(made) == 1
    assert made <= in_shared_memory() - before
    shared_memory.free(tmp_path, None)
    assert not made & in_shared_memory()
    assert shared_memory.left(tmp_path) == []


def test_verls_abandoned_weights_are_freed_and_mapped_ones_are_not(tmp_path):
    name = f"verl_weights_{uuid.uuid4().hex}"
    path = Path("/dev/shm") / name
    path.touch()
    try:
        shared_memory.free(tmp_path, time.time() + 60)
        assert path.exists()  # made before the job began: another's
        shared_memory.free(tmp_path, time.time() - 60)
        assert not path.exists()
    finally:
        path.unlink(missing_ok=True)


def test_another_users_segments_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "SEGMENTS", tmp_path / "shm")
    (tmp_path / "shm" / "a-folder").mkdir(parents=True)
    ours, noted = tmp_path / "shm" / "verl_weights_1", tmp_path / "shm" / "noted"
    for path in (ours, noted):
        path.touch()
    (tmp_path / shared_memory.NOTES).write_text(f"{noted.stat().st_ino}\n0")
    real = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    shared_memory.free(tmp_path, 1.0)
    assert ours.exists()
    assert noted.exists()
    monkeypatch.setattr(os, "getuid", lambda: real)
    shared_memory.free(tmp_path, 1.0)
    assert not ours.exists()
    assert not noted.exists()
