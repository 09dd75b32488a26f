"""The smoke data and models in a registry whose runs go to SkyPilot: real trainings on the CPU."""

from __future__ import annotations

import subprocess

from sky_host import LOCK, ROOT
from sky_registry import SkyRegistry


def merge_smoke(registry: SkyRegistry, trainer: str) -> None:
    """Merge what `trainer` runs in, and dvc.yaml with the outputs of its stage smoke.

    They are in the DVC remote then, which is in the S3.
    """
    tracked = ["dvc.yaml", "dvc.lock", "data/prepare/*"]
    listed = subprocess.check_output(["git", "ls-files", *tracked], cwd=ROOT, text=True)
    settings = (registry.root / "registry.yaml").read_text()
    environment = f"environments:\n  {trainer}: {{lock: requirements/train-cpu.txt}}\n"
    registry.merge(
        {
            **{path: (ROOT / path).read_bytes() for path in listed.splitlines()},
            "registry.yaml": settings + environment,
            "requirements/train-cpu.txt": LOCK.read_text(),
        }
    )
    for arguments in (["repro", "--quiet", "smoke"], ["push", "--quiet", "smoke"]):
        made = registry.execute("dvc", *arguments)
        assert made.code == 0, made
    registry.git("add", "--all")
