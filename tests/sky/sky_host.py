"""The real scheduler: Slurm and a SkyPilot API server on this machine, by the project's script."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "sky-slurm.sh"
LOCK = ROOT / "requirements" / "train-cpu.txt"
INFRA = "slurm/virtual"
UP_SECONDS = 600.0
"""From nothing: packages of Debian, the server's environment, and a cache of wheels."""


class SkyHost:
    """What the script has brought up in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        """Folder of the nodes that outlives runs: their environments."""

    def script(self, verb: str) -> None:
        """Run the script; its output is shown when it fails."""
        subprocess.run([SCRIPT, verb, self.folder], check=True, timeout=UP_SECONDS)

    @property
    def catalogs(self) -> Path:
        """SkyPilot's lists of accelerators, which a client needs below its home."""
        return self.folder / "client" / ".sky" / "catalogs"

    @property
    def environment(self) -> dict[str, str]:
        """What leads a client to the API server, but for a home."""
        lines = (self.folder / "env").read_text().splitlines()
        told = dict(line.split("=", 1) for line in lines)
        return {name: value for name, value in told.items() if name != "HOME"}

    # Slurm

    def slurm(self, *command: str) -> str:
        environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm" / "slurm.conf")}
        return subprocess.check_output(command, env=environment, text=True, timeout=60)

    def queue(self) -> dict[str, str]:
        """Return the names of Slurm's jobs by id; a managed job's begins with its own name."""
        lines = self.slurm("squeue", "--noheader", "--format=%i %j").splitlines()
        return dict(line.split(None, 1) for line in lines)

    def preempt(self, job: str) -> None:
        """Take a job's machines away, as a scheduler does with those of low priority."""
        ids = [number for number, name in self.queue().items() if name.startswith(job)]
        assert len(ids) == 1, (job, self.queue())
        self.slurm("scancel", *ids)

    def processes(self, *jobs: str) -> list[psutil.Process]:
        """Return the living processes of jobs, told by the variable that all of them inherit."""
        return [process for process in psutil.process_iter() if _job(process) in jobs]

    # Environments

    def seed_environment(self, lock: Path, venv: Path) -> None:
        """Have the nodes find `venv` as what they would make of `lock`, for a CPU and for GPUs.

        So that gigabytes are not installed a second time. Its name is the digest of the list and
        the interpreter, as environment.sh of the launcher has it; its files are linked.
        """
        python = _node_python(self.folder)
        about = subprocess.check_output(
            [python, "-c", "import sys; print(sys.executable, sys.version, end='')"], text=True
        )
        for build in ("cpu", ""):
            text = lock.read_text() + f"{build} {about} {platform.machine()}\n"
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            made = self.cache / "environments" / digest
            made.mkdir(parents=True, exist_ok=True)
            for file in venv.iterdir():
                (made / file.name).unlink(missing_ok=True)
                (made / file.name).symlink_to(file)
            (made / "complete").touch()


def _node_python(folder: Path) -> str:
    """Return the interpreter that a node builds on: the first python3.11 of a login there."""
    profile = folder / "login" / ".profile"
    found = subprocess.check_output(
        ["env", "-i", "bash", "-c", f". {profile}; command -v python3.11"], text=True
    ).strip()
    return os.path.realpath(found)


def _job(process: psutil.Process) -> str | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        name = process.environ().get("ROLLBOOK_JOB", "")
    except (psutil.Error, OSError):
        return None
    return name
