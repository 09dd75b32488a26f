"""What `runner init` makes of a repository, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from real_git import commit_files, git

from runner.authoring.initialize import initialize, next_steps

ROOT = Path(__file__).parents[2]
GITHUB = "https://github.com/octo/registry.git"


@pytest.fixture
def empty(tmp_path: Path, git_home: Path) -> Path:
    """Return a clone of an empty repository on GitHub, which is a folder here."""
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=trunk", str(origin))
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk", str(clone))
    git(clone, "remote", "add", "origin", GITHUB)
    with (git_home / ".gitconfig").open("a") as config:
        config.write(f'[url "{origin}"]\n    insteadOf = {GITHUB}\n')
    return clone


def test_an_empty_repository_on_github_is_ready(empty: Path) -> None:
    written = initialize(empty)
    settings = yaml.safe_load((empty / "registry.yaml").read_text())
    assert (settings["forge"], settings["run_store"]) == ("github", ".rollbook/store")
    apply = (empty / ".github/workflows/apply.yml").read_text()
    assert yaml.safe_load(apply)[True]["push"] == {"branches": ["trunk"]}
    assert "branch runs (the ledger)" in written
    assert git(empty, "ls-remote", "origin", "runs")
    steps = next_steps(empty)
    assert any("run_store" in step for step in steps)
    assert any("environment `rollbook`" in step for step in steps)


def test_nothing_that_is_there_is_overwritten(empty: Path) -> None:
    own = {
        ".github/workflows/plan.yml": "name: ours\n",
        ".github/pull_request_template.md": "Ours\n",
        ".pre-commit-config.yaml": "repos: []\n",
    }
    commit_files(empty, own)
    initialize(empty)
    assert {name: (empty / name).read_text() for name in own} == own
    assert initialize(empty) == ()


def test_a_repository_elsewhere_has_no_forge_yet(make_repository) -> None:
    folder = make_repository()
    initialize(folder)
    settings = (folder / "registry.yaml").read_text()
    assert yaml.safe_load(settings)["forge"] == "none"
    steps = next_steps(folder)
    assert not any("environment" in step or "pull request" in step for step in steps)
    assert "runner apply" in steps[-1]


def test_what_the_workflows_do_not_pass_is_a_next_step(make_repository) -> None:
    folder = make_repository()
    initialize(folder)
    assert not any("does not pass" in step for step in next_steps(folder))
    with (folder / "registry.yaml").open("a") as settings:
        settings.write("secrets: {'judge/*': [JUDGE_KEY]}\n")
    found = [step for step in next_steps(folder) if "does not pass" in step]
    assert len(found) == 3
    assert found[0].startswith(".github/workflows/apply.yml")
    assert found[0].endswith("JUDGE_KEY: ${{ secrets.JUDGE_KEY }}")


def test_a_release_holds_every_file_of_the_package(tmp_path: Path) -> None:
    """The action installs it so: a file that only a checkout has would be missing in workflows."""
    tracked = git(ROOT, "ls-files", "runner").splitlines()
    for name in (*tracked, "pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_file():
            (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "source" / name).write_bytes((ROOT / name).read_bytes())
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    command = [*wheel, "--wheel-dir", str(tmp_path), str(tmp_path / "source")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [built] = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(built).namelist())
    assert {name for name in tracked if (ROOT / name).is_file()} <= held
