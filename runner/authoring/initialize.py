"""`runner init`: what makes a git repository a registry. Nothing that is there is overwritten."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from importlib import resources
from pathlib import Path

from runner.authoring.workflows import expression, forge_files, not_passed
from runner.errors import OutsideError, Refused, RunnerError
from runner.git.repository import Repository
from runner.registry import Registry
from runner.root import FILE
from runner.spec.check import load_registry
from runner.spec.tree import WorkTree
from runner.storage.store import is_url
from runner.workspace import open_workspace

DVC_DEADLINE = 60.0
_IGNORED = "/.rollbook/\n"
_GITHUB = re.compile(r"[@/][^@/:]*github[^@/:]*[:/]")
"""In a remote's address: github.com, or a company's own GitHub where its name says so."""


def initialize(folder: Path) -> tuple[str, ...]:
    """Write what is missing in `folder` and make the ledger branch; return what was written.

    Raises Refused when `folder` is no git repository, or its ledger was lost.
    """
    if not (folder / ".git").exists():
        raise Refused(f"{folder} is no git repository", cure=f"git init -b main {folder}")
    written = [*_files(folder), *_ignore(folder), *_dvc(folder)]
    workspace = open_workspace(folder)
    if not workspace.ledger.exists():
        workspace.ledger.create()
        written.append(f"branch {workspace.registry.ledger.branch} (the ledger)")
    return tuple(written)


def next_steps(folder: Path) -> tuple[str, ...]:
    """Return what is to be done by hand, in order; `folder` is a registry."""
    workspace = open_workspace(folder)
    steps = ["git add -A && git commit, and push it to the default branch"]
    for path, names in not_passed(folder, workspace.registry).items():
        lines = ", ".join(f"{name}: {expression(name, workspace.registry)}" for name in names)
        steps.append(f"{path} does not pass what {FILE} names: add to its env {lines}")
    if workspace.registry.forge == "none":
        return (*steps, "runner new NAME, runner plan; commit, push and runner apply --wait")
    if workspace.registry.forge == "github":
        if not is_url(workspace.registry.run_store):
            steps.append(
                f"{FILE}: run_store and the DVC remotes as URLs, such as s3://bucket/runs: the "
                "disk of a workflow is gone with it"
            )
        steps.append(
            "on GitHub: Settings > Environments > New environment `rollbook`, deployment branches: "
            "the default branch alone, and in it the secrets of the runs"
        )
    return (*steps, "runner new NAME on a branch, and a pull request: the plan comes as a comment")


def _files(folder: Path) -> list[str]:
    from runner.spec.schema import write as write_schemas

    written = []
    for name, content in templates(folder).items():
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
            written.append(name)
    if not (folder / "schemas").exists():
        write_schemas(folder / "schemas")
        written.append("schemas/")
    return written


def templates(folder: Path) -> dict[str, str]:
    """Return the files of a registry in the repository `folder` by path."""
    source = resources.files("runner") / "templates"
    repository = Repository(folder)
    lineage = f'"{secrets.token_hex(16)}"'  # quoted: 32 digits would be a number
    on_github = _GITHUB.search(repository.git_config("remote.origin.url") or "")
    forge = "github" if on_github else "none  "  # the comment behind it stays in its column
    settings = (source / FILE).read_text().replace("LINEAGE", lineage)
    return {
        FILE: settings.replace("FORGE ", forge),
        "experiments/bases/README.md": (source / "bases.md").read_text(),
        "reward/__init__.py": "",
        **forge_files(_registry(folder), _default_branch(repository)),
    }


def _registry(folder: Path) -> Registry | None:
    return load_registry(WorkTree(folder)) if (folder / FILE).exists() else None


def _default_branch(repository: Repository) -> str:
    """Return the remote's default branch; of one that is empty still, what is checked out here."""
    try:
        return repository.tip().branch
    except RunnerError:
        return repository.current_branch() or "main"


def _ignore(folder: Path) -> list[str]:
    path = folder / ".gitignore"
    present = path.read_text() if path.exists() else ""
    if _IGNORED.strip() in present.splitlines():
        return []
    path.write_text(present + ("\n" if present and not present.endswith("\n") else "") + _IGNORED)
    return [".gitignore"]


def _dvc(folder: Path) -> list[str]:
    """Initialize DVC with two remotes in folders, unless the repository has DVC already."""
    if (folder / ".dvc" / "config").exists():
        return []
    _run_dvc(folder, "init", "--quiet")
    for name in ("data", "checkpoints"):
        _run_dvc(folder, "remote", "add", name, f".rollbook/remotes/{name}")
    _run_dvc(folder, "config", "core.remote", "data")
    _run_dvc(folder, "config", "core.analytics", "false")
    return [".dvc/config"]


def _run_dvc(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DVC_DEADLINE,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise OutsideError(
            f"dvc {arguments[0]} failed: {''.join(last)}", cure="pip install 'rollbook[data]'"
        )
