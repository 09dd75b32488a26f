"""Registries of specs."""

import sys
from collections.abc import Callable

import pytest
from planned_registry import PlannedRegistry
from real_git import MakeRepository
from settled_registry import FILES, apply

MakeRegistry = Callable[..., PlannedRegistry]


@pytest.fixture
def make(make_repository: MakeRepository) -> MakeRegistry:
    """Return a function that makes a registry of specs, with a ledger in the same repository."""

    def make_registry(**specs: str) -> PlannedRegistry:
        files = {f"experiments/{name.replace('__', '/')}.yaml": t for name, t in specs.items()}
        return PlannedRegistry.with_files(make_repository(), files)

    return make_registry


@pytest.fixture
def registry(make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch) -> PlannedRegistry:
    """Return a registry of which all runs have been claimed, with what that notes."""
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    registry = PlannedRegistry.with_files(make_repository(), FILES)
    apply(registry)
    return registry
