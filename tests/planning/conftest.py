"""Registries of specs."""

from collections.abc import Callable

import pytest
from planned_registry import PlannedRegistry
from real_git import MakeRepository

MakeRegistry = Callable[..., PlannedRegistry]


@pytest.fixture
def make(make_repository: MakeRepository) -> MakeRegistry:
    """Return a function that makes a registry of specs, with a ledger in the same repository."""

    def make_registry(**specs: str) -> PlannedRegistry:
        files = {f"experiments/{name.replace('__', '/')}.yaml": t for name, t in specs.items()}
        return PlannedRegistry.with_files(make_repository(), files)

    return make_registry
