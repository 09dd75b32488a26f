"""A registry with a policy for each test that asks for one."""

from __future__ import annotations

import sys

import pytest
from planned_registry import PlannedRegistry
from policy_registry import MakeRegistry, settings
from real_git import MakeRepository


@pytest.fixture
def make(make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> MakeRegistry:
    """Return a function that makes a registry with a policy; every argument else is a spec."""
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)

    def make_registry(policy: str = "", more: str = "", **specs: str) -> PlannedRegistry:
        files = {f"experiments/{name}.yaml": text for name, text in specs.items()}
        files["registry.yaml"] = settings(policy, more)
        return PlannedRegistry.with_files(make_repository(), files)

    return make_registry
