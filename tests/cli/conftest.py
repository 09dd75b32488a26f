"""Registries with one experiment, `x`."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_registry import FILES, SPEC, PlannedRegistry
from real_git import MakeRepository, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a registry without git: validate needs no more."""
    write_files(tmp_path, {**FILES, "experiments/x.yaml": SPEC})
    return tmp_path


@pytest.fixture
def registry(make_repository: MakeRepository) -> PlannedRegistry:
    return PlannedRegistry.with_files(make_repository(), {"experiments/x.yaml": SPEC})
