"""A registry as `runner init` makes it, at a GitHub and an S3 of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_git import write_files

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("github", "e2e", "report")]

from act_runner import require_act  # noqa: E402
from github_git import bare_git  # noqa: E402
from hosted_registry import HostedRegistry  # noqa: E402
from live_registry import REWARD, TRAINER  # noqa: E402
from stand_in_github import serving_github  # noqa: E402
from stand_in_s3 import S3, serving_s3  # noqa: E402

BUCKET = "rollbook-test"
PLACES = {
    "forge: none": "forge: github",
    "run_store: .rollbook/store": f"run_store: s3://{BUCKET}/runs",
    "# node_variables: [": "node_variables: [AWS_ENDPOINT_URL, ",
}
"""What a person changes in registry.yaml before the first merge."""


@pytest.fixture(scope="session")
def initialized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bare repository of a registry that `runner init` has made, without experiments."""
    require_act()
    folder = tmp_path_factory.mktemp("initialized")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    config = "[user]\nname = Octo\nemail = octo@example.invalid\n[init]\ndefaultBranch = main\n"
    (folder / ".gitconfig").write_text(config)

    def run(*command: str) -> None:
        subprocess.run(command, cwd=folder, env=environment, check=True, timeout=120)

    run("git", "init", "--quiet", "--bare", "origin.git")
    run("git", "clone", "--quiet", "origin.git", "clone")
    run(sys.executable, "-m", "runner", "-C", "clone", "init")
    clone = folder / "clone"
    _settle(clone)
    run("git", "-C", "clone", "add", "--all")
    run("git", "-C", "clone", "commit", "--quiet", "--message", "A registry")
    run("git", "-C", "clone", "push", "--quiet", "origin", "HEAD:main")
    return folder / "origin.git"


def _settle(clone: Path) -> None:
    """Say where a registry keeps its files that has no machine of its own."""
    settings = (clone / "registry.yaml").read_text()
    for wrong, right in PLACES.items():
        assert wrong in settings
        settings = settings.replace(wrong, right)
    dvc = (clone / ".dvc/config").read_text()
    assert "../.rollbook/remotes/" in dvc
    dvc = dvc.replace("../.rollbook/remotes/", f"s3://{BUCKET}/dvc/")
    files = {
        "registry.yaml": settings,
        ".dvc/config": dvc,
        "train.py": TRAINER.read_text(),
        "reward/exact.py": REWARD,
    }
    write_files(clone, files)


@pytest.fixture
def s3() -> Iterator[S3]:
    """Serve an S3 with one bucket, for workflows alone: this process's environment is as it was."""
    with serving_s3(BUCKET) as served:
        yield served


@pytest.fixture
def hosted(initialized: Path, s3: S3, tmp_path: Path) -> Iterator[HostedRegistry]:
    """Serve the registry as octo/registry, a private repository with the keys to its S3."""
    with serving_github(tmp_path / "github") as github:
        folder = github.repository.folder
        bare_git(folder, "fetch", "--quiet", str(initialized), "+refs/heads/*:refs/heads/*")
        github.repository.private = True
        registry = HostedRegistry(github, tmp_path / "act")
        for name, value in s3.environment.items():
            secret = name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            (registry.secrets if secret else registry.variables)[name] = value
        registry.variables["AWS_REGION"] = s3.environment["AWS_DEFAULT_REGION"]
        yield registry
