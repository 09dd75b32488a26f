"""Runs as processes of this machine, apart from the terminal that started them.

Each job has a folder below `.rollbook/local/`. Its node program holds an exclusive lock on the file
`lock` there for as long as it lives, so that "is it alive" is a question to the kernel, which a
re-used process id or a reboot cannot answer wrongly, and a second program of the same job cannot
start. Jobs train one at a time: they queue for the lock on `slot`.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from runner.errors import OutsideError, Refused
from runner.launchers.base import Found, JobStatus, Leak, Reach, Shell
from runner.node import job
from runner.node.task import NodeTask
from runner.registry import is_of_forge
from runner.storage.files import write_atomically

START_DEADLINE = 60.0
"""Seconds for a node program to say that it lives."""
CANCEL_DEADLINE = 90.0
"""Seconds for a node program to clean up after SIGTERM; then it is killed."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_.*|TZ|TMPDIR|XDG_.*|VIRTUAL_ENV|SSL_CERT_.*|"
    r"REQUESTS_CA_BUNDLE|(?i:https?_proxy|no_proxy)|CUDA_VISIBLE_DEVICES|HF_HOME|HF_ENDPOINT|"
    r"HF_HUB_OFFLINE|PYTHONPATH"
)
"""What a run gets of the caller's environment, besides the secrets that its spec names."""
_NO_GPUS = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}
"""No device has this index. Not empty: Ray then refuses the devices that are pretended on a CPU."""

_CHILDREN: list[subprocess.Popen[bytes]] = []
"""Node programs that this process has started; they may outlive it."""


class LocalLauncher:
    """Processes on this machine."""

    name = "local"
    is_remote = False
    unseen = 0.0

    def __init__(self, state: Path) -> None:
        """Keep jobs below `state`/local."""
        self._folder = state / "local"

    def endpoint(self) -> str:
        """Return this clone on this machine, and this boot of it."""
        return f"{self._place()}#{_BOOT.read_text().strip()}"

    def reach(self, endpoint: str) -> Reach:
        """Tell this boot's jobs, those before a reboot, and another clone's or machine's apart."""
        if endpoint == self.endpoint():
            return "here"
        return "gone" if endpoint.rpartition("#")[0] == self._place() else "elsewhere"

    def _place(self) -> str:
        """Return this clone's own name: hosts share names and paths, and a clone may be moved.

        A copy of it has the name, but not the file's inode: it gets a name of its own, or it would
        take the jobs of this one for its own, and for dead.
        """
        path = self._folder / "place"
        while not (token := _own_token(path)):
            _name_anew(path)
        return f"local:{os.uname().nodename}:{token}"

    def submit(self, task: NodeTask) -> str:
        """Start the node program, and return once it lives."""
        folder = self._folder / task.job
        folder.mkdir(parents=True, exist_ok=True)
        if job.is_alive(folder) or job.has_started(folder):
            return task.job
        if (folder / job.CANCELLED).exists():
            raise Refused(f"job {task.job} was cancelled before it was started")
        write_atomically(folder / job.TASK, task.model_dump_json(by_alias=True, indent=1).encode())
        command = [sys.executable, "-m", "runner", "node", str(folder / job.TASK)]
        with (folder / job.LOG).open("ab") as log:
            process = subprocess.Popen(
                [*command, "--slot", str(self._folder / "slot")],
                cwd=folder,
                env=_environment(task),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _CHILDREN.append(process)
        _await_start(folder, process)
        return task.job

    def find(self, names: Sequence[str], *, wait: bool = True) -> Mapping[str, str]:
        """Return the jobs whose folders show that they were started: those of all submissions."""
        return {name: name for name in names if _started(self._folder / name)}

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Ask the kernel whether the node programs live; clear up behind those that are dead."""
        return {one: self._poll(one) for one in jobs}

    def _poll(self, job_id: str) -> JobStatus:
        folder = self._folder / job_id
        _reap()
        if job.is_alive(folder):
            return JobStatus("running")
        job.sweep(folder)
        return JobStatus("ended")

    def cancel(self, job_id: str) -> None:
        """Ask the node program to stop, then make it."""
        folder = self._folder / job_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / job.CANCELLED).touch()  # the node tells this from a shutdown of the machine
        process = job.process_of(folder)
        if process is not None and job.is_alive(folder):
            _stop(process)
        job.sweep(folder)

    def logs(self, job_id: str, *, follow: bool) -> Iterator[str]:
        """Yield the node program's own lines."""
        path = self._folder / job_id / job.LOG
        if not path.is_file():
            return
        with path.open(errors="replace") as log:
            while True:
                alive = job.is_alive(path.parent)
                yield from (line.rstrip("\n") for line in log)
                if not (follow and alive):
                    return
                time.sleep(0.5)

    def links(self, job_id: str) -> Mapping[str, str]:
        """Return none: there is no page about a process."""
        return {}

    def shell(self, job_id: str) -> Shell:
        """Refuse: a process of this machine needs no way to it."""
        folder = self._folder / job_id
        process = job.process_of(folder) if job.is_alive(folder) else None
        if process is None:
            raise Refused("its process has ended", cure=f"its own lines are in {folder / job.LOG}")
        raise Refused(
            f"it is process {process.pid} of this machine: a shell is open already",
            cure=f"its own lines are in {folder / job.LOG}",
        )

    def keep_prices(self) -> None:
        """Do nothing: processes of this machine have no price."""

    def release(self, job_id: str) -> None:
        """Cancel it: a process keeps no machine."""
        self.cancel(job_id)

    def left(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Return the processes that live."""
        found = {one: job.marked_processes(one) for one in jobs}
        return {
            one: f"processes {', '.join(str(process.pid) for process in processes)}"
            for one, processes in found.items()
            if processes
        }

    def leaks(self, explained: Collection[str]) -> Found:
        """Return the node programs of this clone that live although nobody waits for them."""
        jobs = self._folder.iterdir() if self._folder.is_dir() else ()
        alive = (one for one in jobs if one.name not in explained and job.is_alive(one))
        found = {one.name: job.process_of(one) for one in alive}
        return Found(
            tuple(
                Leak(f"process {process.pid} of this machine", name, f"kill {process.pid}")
                for name, process in found.items()
                if process
            )
        )

    def about(self) -> str:
        """Return that runs are processes here, one training at a time."""
        return f"processes of this machine ({os.cpu_count()} CPUs), one training at a time"


def _own_token(path: Path) -> str:
    """Return the name of a place; empty where it has none, or is a copy of another."""
    if not path.exists():
        return ""
    token, _, inode = path.read_text().partition(" ")
    return token if inode in ("", str(path.stat().st_ino)) else ""


def _name_anew(path: Path) -> None:
    mine = path.with_name(f".place-{secrets.token_hex(8)}")
    mine.parent.mkdir(parents=True, exist_ok=True)
    with mine.open("x") as file:
        file.write(f"{secrets.token_hex(8)} {os.fstat(file.fileno()).st_ino}")
    if path.exists():
        mine.replace(path)
        return
    with contextlib.suppress(FileExistsError):
        os.link(mine, path)  # whole, and only if nobody else was first
    mine.unlink()


def _started(folder: Path) -> bool:
    return job.is_alive(folder) or job.has_started(folder)


def _environment(task: NodeTask) -> Mapping[str, str]:
    """Return what the run may know: the ordinary variables, its secrets and the node's variables.

    No other token, and none of the forge's whatever is named; and no GPU for a run that declares
    none, as it counts as taking none.
    """
    wanted = {name: value for name, value in os.environ.items() if _INHERITED.fullmatch(name)}
    named = (*task.spec.secrets, *task.node_variables)
    secrets = {
        name: os.environ[name] for name in named if name in os.environ and not is_of_forge(name)
    }
    hidden = {} if task.spec.resources.gpus_per_node else _NO_GPUS
    return {**wanted, **secrets, **hidden, job.MARKER: task.job}


def _reap() -> None:
    """Let the kernel forget the node programs of this process that have ended."""
    _CHILDREN[:] = [process for process in _CHILDREN if process.poll() is None]


def _await_start(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if job.has_started(folder):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    last = (folder / job.LOG).read_text(errors="replace").strip().splitlines()[-1:]
    raise OutsideError(f"the node program did not start: {''.join(last) or 'no output'}")


def _stop(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(CANCEL_DEADLINE)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(10)
    except psutil.NoSuchProcess:
        return
