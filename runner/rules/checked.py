"""What checking found before, so that unchanged experiments are not checked again.

Remembered per registry, in the user's cache folder: the findings in each experiment that could be
read, with a stamp of each file that it is made of, and a stamp of everything else that checking
looked at. Nothing needs to be known of what rules read: the tree that they read from takes it down.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.findings import Finding
from runner.models.cache import hub_cache
from runner.spec.load import FOLDER
from runner.spec.tree import WorkTree
from runner.storage.files import write_atomically

Stamp = tuple[int, ...] | None
"""Time of change, time of status change, size and inode of a file; None where there is none."""

RACY_NS = 50_000_000
"""A file changed so shortly before it was read may change again without another stamp: file systems
count time in ticks of some milliseconds."""


class WatchedTree(WorkTree):
    """A work tree that takes down what is asked of it."""

    def __init__(self, root: Path) -> None:
        """Read below `root`."""
        super().__init__(root)
        self.files: dict[str, Stamp] = {}
        self.listings: dict[tuple[str, str], str] = {}
        self._contents: dict[str, bytes | None] = {}

    def read(self, path: str) -> bytes | None:
        """Return the contents of `path`; None where there is no such file.

        What is no spec is read once, however many specs name it.
        """
        if path in self._contents:
            return self._contents[path]
        self.files.setdefault(path, stamp(self.root, path))
        content = super().read(path)
        if not _is_spec(path):
            self._contents[path] = content
        return content

    def paths(self, folder: str, suffix: str) -> list[str]:
        """Return the files below `folder`, sorted."""
        found = super().paths(folder, suffix)
        self.listings.setdefault((folder, suffix), _digest("\0".join(found).encode()))
        return found

    def place(self, path: str) -> Path:
        """Return where `path` is; what lies there, and beside it under such a name, counts."""
        there = super().place(path)
        folder = path if there.is_dir() else posixpath.dirname(path)
        beside = self.paths(folder, "") if folder else [path]
        for file in (path, *(one for one in beside if one.startswith(path))):
            self.files.setdefault(file, stamp(self.root, file))
        return there


class Checked(NamedTuple):
    """An experiment that was checked."""

    runs: int
    files: tuple[str, ...]
    """What it is made of: its own file and its bases."""
    findings: tuple[Finding, ...]


class Memory(NamedTuple):
    """What is remembered of a registry."""

    experiments: dict[str, Checked]
    files: dict[str, Stamp]
    """Stamps of every file that checking read."""
    listings: dict[tuple[str, str], str]


NOTHING = Memory({}, {}, {})


def stamp(root: Path, path: str) -> Stamp:
    """Return the stamp of the file at `path`."""
    try:
        status = os.stat(root / path)  # noqa: PTH116 - Path.stat takes twice as long
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def recall(root: Path) -> Memory:
    """Return what still holds of what is remembered of the registry at `root`.

    Anything changed outside of `experiments/` (settings, rewards, pointers of DVC, this program)
    leaves nothing; a changed spec or base only those that are not made of it.
    """
    memory = _load(_place(root))
    tree = WatchedTree(root)
    now = {path: stamp(tree.root, path) for path in memory.files}
    changed = {path for path, was in memory.files.items() if now[path] != was}
    if any(not _is_spec(path) for path in changed):
        return NOTHING
    for folder, suffix in memory.listings:
        tree.paths(folder, suffix)
    if tree.listings != memory.listings:
        return NOTHING
    experiments = {
        name: one for name, one in memory.experiments.items() if not changed.intersection(one.files)
    }
    return memory._replace(experiments=experiments)


def remember(
    root: Path, former: Memory, found: Mapping[str, Checked], tree: WatchedTree, began_ns: int
) -> None:
    """Keep `former`, which still holds, and what was `found` in experiments of `tree`.

    Nothing is kept that was changed just before it was read at `began_ns`.
    """
    experiments = {**former.experiments, **found}
    files = {**former.files, **{path: tree.files[path] for path in tree.files}}
    recent = {path for path, one in files.items() if one and max(one[:2]) > began_ns - RACY_NS}
    if any(not _is_spec(path) for path in recent):
        return
    experiments = {
        name: one for name, one in experiments.items() if not recent.intersection(one.files)
    }
    wanted = {path for one in experiments.values() for path in one.files}
    listings = {
        key: digest
        for key, digest in {**former.listings, **tree.listings}.items()
        if not _is_spec(f"{key[0]}/")  # new specs are checked, deleted ones are not asked for
    }
    kept = {path: one for path, one in files.items() if path in wanted or not _is_spec(path)}
    _save(_place(root), Memory(experiments, kept, listings))


def _is_spec(path: str) -> bool:
    return path.startswith(f"{FOLDER}/")


def _place(root: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "rollbook" / "checked" / f"{_digest(str(root).encode())[:16]}.json"


def _load(place: Path) -> Memory:
    try:
        document = json.loads(place.read_bytes())
        if document["program"] != _program():
            return NOTHING
        return Memory(
            {name: _checked(*one) for name, one in document["experiments"].items()},
            {path: tuple(one) if one else None for path, one in document["files"].items()},
            {(folder, suffix): digest for folder, suffix, digest in document["listings"]},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return NOTHING  # no memory, or one that is damaged: everything is checked


def _checked(runs: int, files: list[str], findings: list[list[Any]]) -> Checked:
    return Checked(runs, tuple(files), tuple(Finding(*one) for one in findings))


def _save(place: Path, memory: Memory) -> None:
    document: dict[str, Any] = {
        "program": _program(),
        "experiments": memory.experiments,
        "files": memory.files,
        "listings": [(*key, digest) for key, digest in memory.listings.items()],
    }
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(document, separators=(",", ":")).encode())
    except OSError:
        return  # a memory is a convenience


def _program() -> str:
    """Return a digest that is another one when this program is, or what it knows of models."""
    package = Path(__file__).parents[1]
    stamps: Iterable[str] = (
        f"{path.relative_to(package)}{stamp(package, str(path))}"
        for path in sorted(package.rglob("*"))
        if path.suffix in (".py", ".json")
    )
    # Rules also look at configs of models that were fetched from the hub.
    fetched = (
        f"{path}{stamp(path, '')}" for path in sorted(hub_cache().glob("models--*/snapshots"))
    )
    return _digest("".join((*stamps, *fetched)).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
