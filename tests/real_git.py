"""Git as the tests use it: commands, files, commits, and the types of the fixtures."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

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
[advice]
    detachedHead = false
"""
"""What git knows of the person who runs the tests."""


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
