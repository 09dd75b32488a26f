"""A GitHub that is held to GitHub's own description, and forges of one repository there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_git import MakeRepository, git

sys.path.insert(0, str(Path(__file__).parents[1] / "github"))

from stand_in_github import GitHub, serving_github

from runner.forges import github_api
from runner.forges.github import GitHubForge

Connect = Callable[..., GitHubForge]


@pytest.fixture
def github(
    tmp_path: Path, make_repository: MakeRepository, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GitHub]:
    """Serve the repository octo/registry with one commit; nothing here waits for long."""
    monkeypatch.setattr(github_api, "REQUEST_SPACING", 0)
    monkeypatch.setattr(github_api, "WRITE_SPACING", 0)
    monkeypatch.setattr(github_api, "PAUSES", (0.01, 0.02, 0.03))
    with serving_github(tmp_path / "github") as served:
        git(make_repository("seed"), "push", "--quiet", str(served.repository.folder), "main")
        yield served


@pytest.fixture
def connect(github: GitHub) -> Connect:
    """Return a function that gives the forge of a token; by default a workflow's that may all."""

    def make(token: str | None = None, repository: str = "octo/registry") -> GitHubForge:
        may_all = {"contents": "write", "pull_requests": "write", "statuses": "write"}
        token = token or github.workflow_token(**may_all)
        return GitHubForge(repository, token, github.urls.api, github.urls.server)

    return make


@pytest.fixture
def forge(connect: Connect) -> GitHubForge:
    return connect()
