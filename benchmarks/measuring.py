"""Processes of which time and memory are told."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.large import GIT

ROOT = Path(__file__).resolve().parents[1]
STARTER = """\
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
told = {
    "code": os.waitstatus_to_exitcode(status),
    "seconds": usage.ru_utime + usage.ru_stime,
    "peak_mib": usage.ru_maxrss / 1024,
}
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""
"""Starts a process from one that is small: the kernel counts the memory of whoever starts a process
as the new one's own, until that has loaded its program."""


class Measured(NamedTuple):
    """What a process took, with those that it started."""

    seconds: float
    """Of processors: what else the machine is busy with bears on it less than on the clock."""
    peak_mib: float
    printed: str


def measured(command: list[str], folder: Path, *, stdin: bytes = b"") -> Measured:
    """Run `command`, which must succeed."""
    environment = os.environ | GIT | {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    with tempfile.TemporaryFile() as out, tempfile.NamedTemporaryFile() as told:
        started = [sys.executable, "-S", "-c", STARTER, told.name, *command]
        subprocess.run(started, cwd=folder, input=stdin, stdout=out, env=environment, check=True)
        out.seek(0)
        printed = out.read().decode(errors="replace")
        found = json.load(told)
    if code := found.pop("code"):
        sys.exit(f"{' '.join(command)} exited {code}: {printed[-500:]}")
    return Measured(**found, printed=printed)


def median_seconds(commands: Iterable[list[str]], folder: Path) -> float:
    """Return the median of what each of `commands` takes."""
    return statistics.median(measured(command, folder).seconds for command in commands)
