"""Crash points are what a program does, and a kill at one leaves what was done before it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crash_points import Point, Watch, crash_points, environment_for, read_points

PROGRAM = """\
import subprocess, sys
from pathlib import Path
world = Path(sys.argv[1])
Path(__file__).read_text()
subprocess.run(["git", "init", "--quiet", str(world / "repository")], check=True)
(world / "new").write_text("text")
(world / "new").rename(world / "named")
list(world.iterdir())
"""
POINTS = [
    Point("subprocess.Popen git init repository"),
    Point("open new"),
    Point("os.rename new named"),
]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    folder = tmp_path / "world"
    folder.mkdir()
    return folder


def run(world: Path, watch: Watch) -> int:
    watch.world = str(world)
    return subprocess.run(
        [sys.executable, str(world.with_name("program.py")), str(world)],
        env={**os.environ, **environment_for(watch)},
        check=False,
    ).returncode


def test_calls_with_an_effect_are_found_and_others_are_not(world: Path) -> None:
    record = world.with_name("record")
    assert run(world, Watch(record=str(record))) == 0
    assert list(crash_points(read_points(record))) == POINTS


@pytest.mark.parametrize(
    ("point", "side", "left"),
    [
        (POINTS[0], "before", {}),
        (POINTS[1], "before", {"repository": None}),
        (POINTS[1], "torn", {"repository": None, "new": ""}),
        (POINTS[2], "before", {"repository": None, "new": "text"}),
    ],
)
def test_a_kill_leaves_what_was_done_before(world: Path, point, side, left) -> None:
    assert run(world, Watch(kill=point, side=side)) == -9
    found = {p.name: p.read_text() if p.is_file() else None for p in world.iterdir()}
    assert found == left
