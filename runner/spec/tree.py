"""A tree of files to read specs from: the work tree here, a commit in a file of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from runner.errors import Refused


class Tree(Protocol):
    """Files by path relative to the registry's root, with `/` between folders."""

    def read(self, path: str) -> bytes | None:
        """Return the contents of `path`; None where there is no such file.

        Raises Refused when `path` leads out of the tree.
        """

    def paths(self, folder: str, suffix: str) -> list[str]:
        """Return the files below `folder` whose name ends with `suffix`, sorted."""


class MemoryTree:
    """Files that are held in memory: a spec that is about to be written, or a test's."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Hold `files` by path."""
        self._files = dict(files)

    def read(self, path: str) -> bytes | None:
        """Return the contents of `path`; None where there is no such file."""
        return self._files.get(path)

    def paths(self, folder: str, suffix: str) -> list[str]:
        """Return the files below `folder` whose name ends with `suffix`, sorted."""
        start = f"{folder.rstrip('/')}/" if folder else ""
        return sorted(
            path for path in self._files if path.startswith(start) and path.endswith(suffix)
        )


class WorkTree:
    """The files as they lie in the folder `root`, committed or not."""

    def __init__(self, root: Path) -> None:
        """Read below `root`; links that leave it are refused."""
        self.root = root.resolve()
        self._root = str(self.root)

    def read(self, path: str) -> bytes | None:
        """Return the contents of `path`; None where there is no such file."""
        place = self._resolve(path)
        return place.read_bytes() if place.is_file() else None

    def paths(self, folder: str, suffix: str) -> list[str]:
        """Return the files below `folder`, sorted.

        Links to folders are not followed; hidden folders and `__pycache__` are passed over.
        """
        self._resolve(folder)
        found: list[str] = []
        for parent, folders, names in os.walk(self.root / folder):
            folders[:] = [one for one in folders if one[0] != "." and one != "__pycache__"]
            inside = Path(parent).relative_to(self.root)
            found.extend((inside / name).as_posix() for name in names if name.endswith(suffix))
        return sorted(found)

    def place(self, path: str) -> Path:
        """Return where `path` is, or would be: for what is too large to read, or a folder."""
        return self.root / path

    def _resolve(self, path: str) -> Path:
        try:
            place = os.path.realpath(os.path.join(self._root, path))  # noqa: PTH118 - pathlib is slow
        except (ValueError, OSError, RuntimeError):
            raise Refused(f"`{path!a}` is no path", cure="write another path") from None
        if place != self._root and not place.startswith(f"{self._root}{os.sep}"):
            raise Refused(
                f"`{path}` leads out of the repository",
                cure="put the file itself there instead of a link",
            )
        return Path(place)
