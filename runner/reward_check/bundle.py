"""What the isolated check needs, in one folder: the program, the rewards, rows to try them on.

    check.py                  begins the check; `python check.py` writes result.json beside it
    _rollbook_check/          the program
    cases.json                rewards with their rows
    code/                     the rewards, and every module of the repository that they import

Everything is read from a tree; nothing of it is executed or imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from runner.reward_check import inside
from runner.reward_check.catches import catches_everything
from runner.reward_check.sample import committed_rows
from runner.spec.experiment import Experiment
from runner.spec.imports import closure
from runner.spec.tree import Tree

SECONDS = 120
"""How long the check of one reward may take."""
SECONDS_OF_ALL = 480
"""How long the checks of all rewards may take; a job has ten minutes."""
MOST_BYTES = 2**20
"""Of one file of code."""
MOST_FILES = 300
"""Of one reward, with all it imports."""
MOST_REWARDS = 50

_PACKAGE = "_rollbook_check"
_START = f'''\
"""The reward check: `python check.py` checks the rewards beside it and writes result.json."""

import sys
from pathlib import Path

# The folder is not on the path where Python runs isolated (-I).
sys.path.insert(0, str(Path(__file__).resolve().parent))
from {_PACKAGE}.main import main

sys.exit(main())
'''


def bundle(
    tree: Tree, specs: Iterable[Experiment], target: Path, seconds: int = SECONDS
) -> tuple[str, ...]:
    """Write the check of the rewards of `specs` into the folder `target`; return the rewards.

    Each reward is checked once, on the rows of the first experiment that has it, for at most
    `seconds`. Without any reward nothing is written.
    """
    chosen: dict[str, Experiment] = {}
    for spec in specs:
        if spec.reward is not None:
            chosen.setdefault(spec.reward, spec)
    of_data = {
        reward: (spec.data.train, *spec.data.val.values()) if spec.data else ()
        for reward, spec in list(chosen.items())[:MOST_REWARDS]
    }
    return write_bundle(tree, of_data, target, seconds)


def write_bundle(
    tree: Tree, rewards: dict[str, tuple[str, ...]], target: Path, seconds: int = SECONDS
) -> tuple[str, ...]:
    """Write the check of `rewards`, each with the datasets whose rows may be tried."""
    if not rewards:
        return ()
    entries = [_entry(tree, reward, sets, target) for reward, sets in rewards.items()]
    _write(target / "check.py", _START.encode())
    folder = Path(inside.__file__).parent
    for module in sorted(folder.glob("*.py")):
        _write(target / _PACKAGE / module.name, module.read_bytes())
    cases = {"seconds": seconds, "seconds_of_all": SECONDS_OF_ALL, "rewards": entries}
    _write(target / "cases.json", json.dumps(cases, indent=1).encode())
    return tuple(rewards)


def _entry(tree: Tree, reward: str, sets: tuple[str, ...], target: Path) -> dict[str, Any]:
    """Copy the code of one reward; return what the program is told of it."""
    path, _, function = reward.rpartition(":")
    # Importing it by its dotted name runs the packages above it first.
    packages = (f"{folder}/__init__.py" for folder in PurePosixPath(path).parents[:-1])
    paths = {one for root in (path, *packages) for one in closure(tree, root)}
    is_there = path in paths
    error = _copy(tree, paths, target / "code") if is_there else f"`{path}` is not there"
    rows, rows_from = committed_rows(tree, sets)
    swallows = "" if error else catches_everything(tree.read(path) or b"", function)
    return {
        "reward": reward, "rows": rows, "rows_from": rows_from, "swallows": swallows,
        "error": error,
    }  # fmt: skip


def _copy(tree: Tree, paths: set[str], target: Path) -> str:
    """Copy files of the tree; return what forbids it, or nothing."""
    if len(paths) > MOST_FILES:
        return f"it imports {len(paths):,} files of the repository, more than {MOST_FILES}"
    for path in sorted(paths):
        content, parts = tree.read(path), PurePosixPath(path).parts
        if content is None or ".." in parts or path.startswith("/"):
            return f"`{path!a}` cannot be read"
        if len(content) > MOST_BYTES:
            return f"`{path}` is larger than 1 MiB"
        try:
            _write(target.joinpath(*parts), content)
        except OSError as error:  # git may hold names that no file can have
            return f"`{path[:80]!a}` cannot be written: {error.strerror}"
    return ""


def _write(path: Path, content: bytes) -> None:
    """Write a file that every user may read: the check runs as another one."""
    for folder in reversed((path.parent, *path.parent.parents)):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(0o755)
    path.write_bytes(content)
    path.chmod(0o644)
