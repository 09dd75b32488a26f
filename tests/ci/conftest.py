"""A registry at a GitHub of this machine, and a clone of it where commands of workflows run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from planned_registry import FILES, SETTINGS
from real_git import git

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))

from stand_in_github import GitHub, serving_github

from runner.forges import github_api
from runner.workspace import Workspace, open_workspace


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    monkeypatch.setattr(github_api, "REQUEST_SPACING", 0)
    monkeypatch.setattr(github_api, "WRITE_SPACING", 0)
    with serving_github(tmp_path / "github") as served:
        files = {**FILES, "registry.yaml": f"{SETTINGS}forge: github\nledger: {{remote: null}}\n"}
        served.commit(files)
        permissions = {"contents": "write", "pull_requests": "write", "statuses": "write"}
        token = served.workflow_token(**permissions)  # type: ignore[arg-type]
        monkeypatch.setenv("GITHUB_TOKEN", token)
        monkeypatch.setenv("GITHUB_API_URL", served.urls.api)
        monkeypatch.setenv("GITHUB_SERVER_URL", served.urls.server)
        monkeypatch.setenv("GITHUB_REPOSITORY", "octo/registry")
        yield served


@pytest.fixture
def workspace(github: GitHub, tmp_path: Path) -> Workspace:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(github.repository.folder), str(clone))
    opened = open_workspace(clone)
    opened.ledger.create()
    return opened
