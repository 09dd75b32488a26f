"""Node programs that start in a moment: a process that has imported all of it forks one each time.

What is forked is the program as it is, in a session and with an environment of its own. DVC, which
the node starts as `python -m dvc`, is forked in the same way: its imports outlast its work.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

EXIT = "exit"
"""Beside a job's task: the exit code of its node program, where it has come to its end."""
ROOT, NOTES, POINT = "FAULT_ROOT", "FAULT_NOTES", "FAULT_POINT"
"""What an environment says of faults: the folder that is watched, the file of notes, the point."""


class NodeForks:
    """The process that forks, as its user sees it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def start(
        self, folder: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> int:
        """Start the node program of the task in `folder`; return its process id."""
        asked = {
            "arguments": ["node", str(folder / "task.json"), *arguments],
            "folder": str(folder),
            "environment": {**environment, "FORKS": self.address},
        }
        return int(_ask(self.address, asked)["pid"])


def _ask(address: str, what: Mapping[str, Any]) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address)
        line.sendall(json.dumps(what).encode() + b"\n")
        with line.makefile("rb") as answer:
            text = answer.readline()
    # No answer: whoever was asked was killed.
    return dict(json.loads(text)) if text else {"code": -9, "out": "", "err": "killed"}


@contextlib.contextmanager
def forking() -> Iterator[NodeForks]:
    """Have such a process."""
    with tempfile.TemporaryDirectory(prefix="rbf-") as folder:
        address = f"{folder}/forks"
        with subprocess.Popen([sys.executable, __file__, address]) as process:
            try:
                _await(Path(address), process)
                yield NodeForks(address)
            finally:
                process.kill()


def _await(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError("the process that forks did not start")
        time.sleep(0.05)


# The process that forks


def _serve(address: str) -> None:
    import dvc.cli
    import dvc.commands.add
    import dvc.commands.data_sync
    import dvc.repo  # noqa: F401
    import dvc_s3  # noqa: F401
    import s3fs  # noqa: F401

    import runner.cli.runs
    import runner.node.program  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{address}.new")
        server.listen(64)
        Path(f"{address}.new").rename(address)
        while True:
            line, _ = server.accept()
            with line:
                asked = json.loads(line.makefile("rb").readline())
                child = os.fork()
                if not child:
                    _child(server, line, asked)
                if "folder" in asked:
                    line.sendall(json.dumps({"pid": child}).encode() + b"\n")


def _child(server: socket.socket, line: socket.socket, asked: dict[str, Any]) -> None:
    server.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = 70
    try:
        os.environ.clear()
        os.environ.update(asked["environment"])
        code = _node(asked) if "folder" in asked else _dvc(line, asked)
    finally:
        os._exit(code)


def _node(asked: dict[str, Any]) -> int:
    folder = Path(asked["folder"])
    os.setsid()
    os.chdir(folder)
    _redirect(str(folder / "node.log"), str(folder / "node.log"))
    _hurry()
    _watch("", os.getpid())
    from runner.__main__ import run

    code = run(asked["arguments"])
    (folder / EXIT).write_text(str(code))
    return code


def _hurry() -> None:
    """Look more often, so that a training of a second is followed like one of hours."""
    from runner.node import data, patience, program, training
    from runner.storage import store

    program.BEAT_SECONDS = 0.05
    training.SAMPLE_SECONDS = 0.3
    patience.FIRST_PAUSE = 0.05
    patience.STORE_PATIENCE = 60.0
    store.ANSWER_SECONDS = float(os.environ.get("FAULT_ANSWER", "60"))
    data.subprocess = _Subprocess  # type: ignore[attr-defined]


class _Subprocess:
    """The part of `subprocess` with which the node starts DVC."""

    TimeoutExpired = subprocess.TimeoutExpired

    @staticmethod
    def run(command: list[str], cwd: Path, **_: Any) -> Any:
        sys.audit("subprocess.Popen", command[0], command, str(cwd), None)
        asked = {
            "dvc": command[3:],
            "cwd": str(cwd),
            "environment": dict(os.environ),
            "node": os.getpid(),
        }
        answer = _ask(os.environ["FORKS"], asked)
        return subprocess.CompletedProcess(command, answer["code"], answer["out"], answer["err"])


def _dvc(line: socket.socket, asked: dict[str, Any]) -> int:
    os.chdir(asked["cwd"])
    with tempfile.TemporaryDirectory() as folder:
        out, err = f"{folder}/out", f"{folder}/err"
        _redirect(out, err)
        sys.argv[:] = ["dvc", *asked["dvc"]]
        _watch(f"dvc {asked['dvc'][0]}: ", asked["node"])
        from dvc.cli import main

        code = main(asked["dvc"])
        sys.stdout.flush()
        sys.stderr.flush()
        told = {"code": code, "out": Path(out).read_text(), "err": Path(err).read_text()}
    line.sendall(json.dumps(told).encode() + b"\n")
    return 0


def _redirect(out: str, err: str) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    for path, number in ((out, 1), (err, 2)):
        with open(path, "ab") as file:  # noqa: PTH123
            os.dup2(file.fileno(), number)


def _watch(prefix: str, victim: int) -> None:
    from node_effects import Effects, Point

    if NOTES not in os.environ:
        return
    told = json.loads(os.environ.get(POINT, "null"))
    point = Point(*told) if told else None
    effects = Effects(os.environ[ROOT], os.environ[NOTES], point, prefix, victim)
    effects.watch_bucket()
    effects.install()


if __name__ == "__main__":
    assert threading.active_count() == 1
    _serve(sys.argv[1])
