"""Real git repositories in temporary folders, apart from the configuration of whoever runs this."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

GIT_CONFIG = """\
[user]
    name = Test Person
    email = person@example.invalid
[init]
    defaultBranch = main
[commit]
    gpgSign = false
[gc]
    auto = 0
"""


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` and return what it prints, without the last line's end."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.rstrip("\n")


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write each of `files` (path to content) below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit_files(folder: Path, files: Mapping[str, str | bytes], message: str = "change") -> str:
    """Write and commit `files` in the repository `folder`; return the commit."""
    write_files(folder, files)
    git(folder, "add", "--force", "--", *files)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


class MakeRepository(Protocol):
    def __call__(
        self, name: str = "repository", files: Mapping[str, str | bytes] | None = None
    ) -> Path: ...


class MakeOriginAndClones(Protocol):
    def __call__(
        self, clones: int = 2, files: Mapping[str, str | bytes] | None = None
    ) -> tuple[Path, list[Path]]: ...


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
