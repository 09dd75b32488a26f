"""A GitHub and an S3 for each test that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in_github import GitHub, serving_github
from stand_in_s3 import S3, serving_s3


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHub]:
    """Serve a GitHub with the empty repository octo/registry; octo may administer it."""
    with serving_github(tmp_path / "github") as served:
        yield served


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """Serve an S3 with one bucket; this process's environment leads to it."""
    with serving_s3() as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        yield served
