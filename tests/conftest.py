"""Real git repositories in temporary folders, apart from the configuration of whoever runs this."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings
from real_git import GIT_CONFIG, MakeOriginAndClones, MakeRepository, commit_files, git

settings.register_profile("loaded", deadline=None)  # other work on the machine is no failure
settings.load_profile("loaded")

# What is tested behaves differently in a job of CI, and is told so by the tests that mean it.
for _name in [name for name in os.environ if re.fullmatch(r"CI|GITHUB_.*|ACTIONS_.*", name)]:
    del os.environ[_name]


@pytest.fixture(autouse=True)
def git_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home of its own: no configuration of this machine reaches git."""
    home = tmp_path_factory.mktemp("home")
    config = home / ".gitconfig"
    config.write_text(GIT_CONFIG)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture
def make_repository(tmp_path: Path) -> MakeRepository:
    """Return a function that makes a repository with one commit of `files` on `main`."""

    def make(name: str = "repository", files: Mapping[str, str | bytes] | None = None) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet")
        commit_files(folder, files or {"README.md": "# A repository\n"}, "first")
        return folder

    return make


@pytest.fixture
def make_origin_and_clones(tmp_path: Path, make_repository: MakeRepository) -> MakeOriginAndClones:
    """Return a function that makes a bare `origin` with one commit on `main`, and its clones."""

    def make(
        clones: int = 2, files: Mapping[str, str | bytes] | None = None
    ) -> tuple[Path, list[Path]]:
        seed = make_repository("seed", files)
        origin = tmp_path / "origin.git"
        git(tmp_path, "clone", "--quiet", "--bare", str(seed), str(origin))
        folders = [tmp_path / f"clone-{number}" for number in range(clones)]
        for folder in folders:
            git(tmp_path, "clone", "--quiet", str(origin), str(folder))
        return origin, folders

    return make
