"""`runner init`: what makes a git repository a registry. Nothing that is there is overwritten."""

from __future__ import annotations

import secrets
import subprocess
import sys
from importlib import resources
from pathlib import Path

from runner.errors import OutsideError, Refused
from runner.registry import FILE
from runner.workspace import open_workspace

DVC_DEADLINE = 60.0
_IGNORED = "/.rollbook/\n"


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


def _files(folder: Path) -> list[str]:
    from runner.spec.schema import write as write_schemas

    written = []
    for name, content in templates().items():
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
            written.append(name)
    if not (folder / "schemas").exists():
        write_schemas(folder / "schemas")
        written.append("schemas/")
    return written


def templates() -> dict[str, str]:
    """Return the files of a new registry by path."""
    source = resources.files("runner") / "templates"
    lineage = f'"{secrets.token_hex(16)}"'  # quoted: 32 digits would be a number
    settings = (source / FILE).read_text().replace("LINEAGE", lineage)
    return {
        FILE: settings,
        "experiments/bases/README.md": (source / "bases.md").read_text(),
        "reward/__init__.py": "",
    }


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
