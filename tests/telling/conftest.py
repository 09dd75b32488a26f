"""Registries that tell a forge."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository
from told_registry import GITHUB


@pytest.fixture
def make_registry(make_repository: MakeRepository) -> Callable[..., PlannedRegistry]:
    def make(settings: str = GITHUB, **specs: str) -> PlannedRegistry:
        files = {f"experiments/{name}.yaml": text for name, text in specs.items()}
        return PlannedRegistry.with_files(
            make_repository(),
            {"registry.yaml": settings, **(files or {"experiments/one.yaml": SPEC})},
        )

    return make
