"""The training environment itself as a judge: verl, TRL and what they import."""

from __future__ import annotations

from pathlib import Path

from trainer_oracle import TRAIN_PYTHON, Oracle, cannot


class TrainingOracle(Oracle):
    """Runs programs of this folder with the training environment's own packages."""

    def __init__(self, package: str) -> None:
        if not TRAIN_PYTHON.exists():
            cannot("no .venv-train: scripts/train-env.sh makes it")
        packages = TRAIN_PYTHON.parents[1] / "lib/python3.11/site-packages"
        if not (packages / package).exists():
            cannot(f"the training environment has no {package}")
        self._packages: Path = packages
