"""Trainers' own code as a judge: their wheels, run by the training environment's Python.

The packages of requirements/oracle-<name>.txt are installed once, without their dependencies, into
.cache/oracles, and put in front of the training environment's. Where that is not possible these
tests are skipped with the reason, unless RUNNER_TESTS_MANDATORY contains "oracles".
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TRAIN_PYTHON = Path(
    os.environ.get("RUNNER_TRAIN_PYTHON") or ROOT / ".venv-train" / "bin" / "python"
)


def cannot(reason: str) -> None:
    """Skip the test, or fail it where oracles are mandatory."""
    if "oracles" in os.environ.get("RUNNER_TESTS_MANDATORY", ""):
        pytest.fail(reason)
    pytest.skip(reason)


def packages(name: str) -> Path:
    """Return the folder with the packages of requirements/oracle-<name>.txt, made when it lacks."""
    requirements = ROOT / "requirements" / f"oracle-{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".cache" / "oracles" / f"{name}-{digest}"
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--target", str(partial)]
        done = subprocess.run([*pip, "-r", str(requirements)], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(partial, ignore_errors=True)
            cannot(f"cannot install {requirements.name}: {done.stderr.strip()[-200:]}")
        partial.rename(folder)
    return folder


class Oracle:
    """Runs programs of this folder with a trainer's packages."""

    def __init__(self, name: str) -> None:
        if not TRAIN_PYTHON.exists():
            cannot("no .venv-train: scripts/train-env.sh makes it")
        self._packages = packages(name)

    def ask(self, program: str, question: Any, folder: Path, *paths: Path, **names: str) -> Any:
        """Return what `program` answers to `question`, both as JSON; it runs in `folder`."""
        answer = folder / "answer.json"
        path = os.pathsep.join(map(str, (self._packages, *paths)))
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path, **names}
        done = subprocess.run(
            [str(TRAIN_PYTHON), str(HERE / program), str(answer)],
            input=json.dumps(question), cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return json.loads(answer.read_text())
