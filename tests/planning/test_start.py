"""A plan answers at once: it loads what it needs, and asks git little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository

NOT_NEEDED = ("git", "importlib.metadata", "runner.cli.ci", "runner.node.task", "requests", "rich")
MOST_CALLS = 8
"""Of git: its remote, HEAD's files, the work tree, what differs, objects; ls-remote starts two."""


def test_a_plan_loads_little_and_calls_git_seldom(
    make_repository: MakeRepository, tmp_path: Path
) -> None:
    registry = PlannedRegistry.with_files(make_repository(), {"experiments/a.yaml": SPEC})
    code = (
        "import sys\n"
        "from runner.__main__ import main\n"
        "from runner.cli import cli\n"
        "def tell(*_, **__):\n"
        f"    print([n for n in {NOT_NEEDED!r} if n in sys.modules], file=sys.stderr)\n"
        "cli.result_callback()(tell)\n"
        "sys.argv = ['runner', 'plan']\n"
        "main()\n"
    )
    trace = tmp_path / "trace"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=registry.folder,
        env={**os.environ, "GIT_TRACE": str(trace)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"
    assert "launches 1 run" in done.stdout
    assert trace.read_text().count("trace: built-in: git") <= MOST_CALLS
