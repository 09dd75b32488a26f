"""The token goes to the forge's own server, by the environment alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from real_git import git

from runner.ci.credentials import lend_token_to_git, without_token
from runner.git.repository import Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    git(tmp_path, "init", "--quiet")
    for name in [name for name in os.environ if name.startswith(("GIT_CONFIG_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    for name in ("GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0"):  # put back after the test
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GITHUB_TOKEN", "canary-token")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://forge.example")
    return Repository(tmp_path)


def test_git_gets_the_token_for_the_forges_server(repository: Repository) -> None:
    git(repository.root, "remote", "add", "origin", "https://forge.example/me/r.git")
    lend_token_to_git(repository)
    header = repository.git_config("http.https://forge.example/.extraheader")
    expected = base64.b64encode(b"x-access-token:canary-token").decode()
    assert header == f"AUTHORIZATION: basic {expected}"
    assert "canary" not in (repository.root / ".git" / "config").read_text()


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/me/r.git",
        "https://forge.example.evil.example/me/r.git",
        "http://forge.example/me/r.git",
        "git@forge.example:me/r.git",
        "https://ann:own-token@forge.example/me/r.git",
        "../origin.git",
    ],
)
def test_no_other_place_gets_it(repository: Repository, url: str) -> None:
    git(repository.root, "remote", "add", "origin", url)
    lend_token_to_git(repository)
    assert os.environ["GIT_CONFIG_COUNT"] == "0"


def test_a_trial_gets_nothing_that_opens_the_forge(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository.root, "remote", "add", "origin", "https://forge.example/me/r.git")
    lend_token_to_git(repository)
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "canary-token")
    monkeypatch.setenv("INPUT_TOKEN", "canary-token")
    monkeypatch.setenv("GH_TOKEN", "canary-token")
    assert "PATH" in without_token()
    encoded = base64.b64encode(b"x-access-token:canary-token").decode()
    left = " ".join(without_token().values())
    assert "canary" not in left
    assert encoded not in left
