"""Real training: verl, Ray, torch and vLLM on the CPU, from the training environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / ".venv" / "bin" / "runner"
TRAIN_PYTHON = ROOT / ".venv-train" / "bin" / "python"

Runner = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Everything here needs the training environment; where it is mandatory, its lack fails."""
    mandatory = "train" in os.environ.get("RUNNER_TESTS_MANDATORY", "")
    for item in items:
        if "tests/train" not in str(item.path):
            continue
        item.add_marker(pytest.mark.train)
        item.add_marker(pytest.mark.timeout(1800))
        if not TRAIN_PYTHON.exists() and not mandatory:
            item.add_marker(
                pytest.mark.skip(reason="no .venv-train: scripts/train-env.sh makes it")
            )


class Registry:
    """The registry that `scripts/demo.sh` makes."""

    def __init__(self, demo: Path, environment: dict[str, str]) -> None:
        self.demo = demo
        self.path = demo / "registry"
        self.environment = environment
        self.first: subprocess.CompletedProcess[str] | None = None

    def make(self) -> subprocess.CompletedProcess[str]:
        """Run the demo as `make demo` does."""
        return self._run(str(ROOT / "scripts" / "demo.sh"), cwd=ROOT)

    def runner(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(str(RUNNER), *arguments, cwd=self.path)

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments, cwd=self.path).stdout

    def merge(self, message: str) -> None:
        """Commit everything to the default branch and push it."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        self.git("push", "-q")

    def _run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=5400
        )


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry made by the demo's own script, with its two experiments trained."""
    folder = tmp_path_factory.mktemp("demo")
    home = tmp_path_factory.mktemp("home")
    environment = {
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "DEMO": str(folder / "demo"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    registry = Registry(folder / "demo", environment)
    registry.first = registry.make()
    return registry


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest model of the smoke data, made as its DVC stage makes it."""
    folder = tmp_path_factory.mktemp("smoke")
    subprocess.run([sys.executable, ROOT / "data/prepare/smoke.py"], cwd=folder, check=True)
    return folder / "models" / "smoke" / "qwen2"
