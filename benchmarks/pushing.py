"""A push of what one ended run changes in the ledger, beside the same in a small repository."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.large import git
from benchmarks.measuring import measured
from runner.git.repository import Repository

PUSHES = 5
AGAIN = "refs/heads/pushed-again"
"""Where it is pushed to, so that neither the registry's branches nor its ledger move."""


def plain_push(clone: Path) -> float:
    """Return the seconds in which git pushes an empty commit of that repository."""
    return _pushed(Repository(clone), "HEAD", {})


def pushes(clone: Path, commit: str, folder: Path) -> tuple[float, float]:
    """Return the seconds of a push of what `commit` changed, there and in a small repository."""
    large = Repository(clone)
    paths = large.difference(f"{commit}~1", commit).changed
    files = large.read_paths(commit, paths)
    small = Repository(_small(folder, large.read_paths(f"{commit}~1", paths)))
    return _pushed(large, f"{commit}~1", files), _pushed(small, "HEAD", files)


def _small(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Return a clone of a new repository with these files alone."""
    git(folder, "init", "-q", "--bare", "-b", "main", "small.git")
    git(folder, "clone", "-q", "small.git", "small")
    clone = folder / "small"
    git(clone, "commit", "-q", "--allow-empty", "-m", "first")
    commit = Repository(clone).commit(git(clone, "rev-parse", "HEAD"), files, "before")
    git(clone, "reset", "-q", "--hard", commit)
    git(clone, "push", "-q", "origin", "HEAD:main")
    return clone


def _pushed(repository: Repository, before: str, files: Mapping[str, bytes]) -> float:
    parent = repository.resolve(before)
    found = []
    for _ in range(PUSHES):
        new = {path: content + f"{uuid.uuid4()}\n".encode() for path, content in files.items()}
        commit = repository.commit(parent, new, "one run ended")
        git(repository.root, "push", "-q", "--force", "origin", f"{parent}:{AGAIN}")
        push = ["git", "push", "-q", "--force", "origin", f"{commit}:{AGAIN}"]
        found.append(measured(push, repository.root).seconds)
    return median(found)
