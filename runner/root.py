"""Where a registry is: the folder that holds its settings."""

from __future__ import annotations

from pathlib import Path

from runner.errors import Refused

FILE = "registry.yaml"
STATE_FOLDER = ".rollbook"
"""Below the root, ignored by git: what this clone keeps of local runs, scratch folders, logs."""


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds registry.yaml.

    Raises Refused when there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE).is_file():
            return folder
    raise Refused(
        f"no {FILE} in {start.resolve()} or above: this is no registry",
        cure="runner init   makes the repository you are in a registry",
    )
