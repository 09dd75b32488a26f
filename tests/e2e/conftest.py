"""Registries for tests from end to end; each is made in a moment, as a copy of a template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_registry import LiveRegistry, copy_template, make_template
from real_git import GIT_CONFIG

MakeRegistry = Callable[[], LiveRegistry]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_template(folder, GIT_CONFIG)
    return folder


@pytest.fixture(scope="module")
def make_registry(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeRegistry]:
    """Return a function that makes a registry; whatever still runs in one is ended."""
    made: list[LiveRegistry] = []

    def make() -> LiveRegistry:
        made.append(copy_template(template, tmp_path_factory.mktemp("registry")))
        return made[-1]

    yield make
    for registry in made:
        registry.end_everything()


@pytest.fixture
def registry(make_registry: MakeRegistry) -> LiveRegistry:
    """Return a registry of this test alone, without experiments."""
    return make_registry()
