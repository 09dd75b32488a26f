"""The command line in a process of its own, at the price of a fork and not of its imports.

`python forked_runner.py` imports everything that the commands load, then forks a child per line of
its standard input and answers with how that ended. The child is what `runner …` is, in a session
and with an environment of its own, but for the launcher named skypilot, which is a counting one.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import crash_points
from crash_points import Watch, watch_from

DEADLINE = 60.0
"""Seconds for one command."""
LOADED = (
    "counting_launcher",
    "git",
    "github",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "requests",
    "runner.__main__",
    "runner.cli",
    "runner.forges.github_settings",
    "runner.launching.follow",
    "runner.looking.status",
    "runner.report.terminal",
    "runner.report.plan.table",
)
"""What the commands import, most of it when they need it."""


class Answer(NamedTuple):
    """How a command ended."""

    code: int
    """Its exit code, or the negative number of the signal that killed it."""
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        return self.code in (-signal.SIGKILL, -signal.SIGTERM)


class ForkedRunner:
    """A server of forks, to be closed."""

    def __init__(self, output: Path) -> None:
        """Keep what the commands print below `output`."""
        self._output = output
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "MPLCONFIGDIR": str(output / "matplotlib")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, root: Path, *arguments: str, watch: Watch | None = None, **more: Any) -> Answer:
        """Run the command line in the clone `root`.

        `more` is its `environment`, the folder of its `launcher`, and its `patience`: for how many
        seconds it waits for a remote.
        """
        out, err = self._output / "out", self._output / "err"
        request = {
            "arguments": list(arguments),
            "root": str(root),
            "watch": json.dumps(asdict(watch)) if watch else "",
            "outputs": [str(out), str(err)],
            **more,
        }
        print(json.dumps(request), file=self._server.stdin, flush=True)
        assert self._server.stdout
        code = int(self._server.stdout.readline())
        return Answer(code, out.read_text(), err.read_text())

    def close(self) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait(10)
        assert self._server.stdout
        self._server.stdout.close()


def serve() -> None:
    """Answer requests until standard input ends."""
    _import_all()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _be_the_command(json.loads(line))
        print(_wait(child), flush=True)


def _import_all() -> None:
    """Load what the commands would, so that no child has to."""
    for name in LOADED:
        importlib.import_module(name)
    from runner.forges import github_api

    github_api.REQUEST_SPACING = github_api.WRITE_SPACING = 0.0  # GitHub's limits are not meant


def _wait(child: int) -> int:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1000


def _be_the_command(request: dict[str, Any]) -> None:
    os.setsid()
    os.chdir(request["root"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for path, number in zip(request["outputs"], (1, 2), strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _take_launcher(Path(request["launcher"]))
    if request["patience"]:
        _wait_for_remotes(request["patience"])
    if request["watch"]:
        watch_from(request["watch"]).start()
    code = 70
    try:
        from runner.__main__ import run

        code = run(request["arguments"])
    finally:
        with crash_points.unwatched():
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait_for_remotes(seconds: float) -> None:
    from runner.git.repository import Repository

    defaults = Repository.__init__.__kwdefaults__
    assert defaults
    defaults["network_seconds"] = seconds


def _take_launcher(folder: Path) -> None:
    from counting_launcher import CountingLauncher

    from runner.launchers import LAUNCHERS

    LAUNCHERS["skypilot"] = lambda _: CountingLauncher(folder)


if __name__ == "__main__":
    serve()
