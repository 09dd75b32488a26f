"""Writing files of a commit into a plain folder, so that nothing in the commit can leave it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from runner.errors import OutsideError, Refused

LINK = "120000"
SUBMODULE = "160000"
EXECUTABLE = "100755"


class _Entry(Protocol):
    @property
    def mode(self) -> str: ...

    @property
    def oid(self) -> str: ...


class Source(Protocol):
    """The files of one commit, and their bytes by object id."""

    @property
    def files(self) -> Mapping[str, _Entry]:
        """Every file by path."""
        ...

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        """Return the bytes of each object."""
        ...


def extract(source: Source, paths: Sequence[str], target: Path) -> None:
    """Write the files and folders `paths` of `source` into the folder `target`, all or nothing.

    Raises Refused when a path is not in the commit, is unsafe or a submodule, when a link leaves
    the folder, or when `target` holds something; OutsideError when it cannot be written.
    """
    chosen = _choose(source.files, paths)
    content = source.blobs(entry.oid for entry in chosen.values())
    for path in chosen:
        _check(path)
    try:
        _write_all(chosen, content, target)
    except OSError as error:
        raise OutsideError(f"{target} cannot be written: {error.strerror or error}") from error


def _choose(files: Mapping[str, _Entry], paths: Sequence[str]) -> dict[str, _Entry]:
    chosen: dict[str, _Entry] = {}
    for wanted in paths:
        name = wanted.strip("/")
        below = f"{name}/" if name not in ("", ".") else ""
        found = {p: e for p, e in files.items() if p == name or p.startswith(below)}
        if not found:
            raise Refused(f"{wanted} is not in the commit", cure=f"git add {wanted}, and commit it")
        chosen.update(found)
    for path, entry in chosen.items():
        if entry.mode == SUBMODULE:
            raise Refused(f"{path} is a git submodule: its files are not part of the commit")
    return chosen


def _check(path: str) -> None:
    """Refuse a path that could reach outside, however the tree object was made."""
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
        raise Refused(f"{path!r} is no path inside the repository")


def _write_all(chosen: Mapping[str, _Entry], content: Mapping[str, bytes], target: Path) -> None:
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise Refused(f"{target} is in use", cure="name a folder that does not exist yet")
    target.parent.mkdir(parents=True, exist_ok=True)
    import shutil
    import tempfile

    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        # Links last: a file is never written through one.
        for path, entry in sorted(chosen.items(), key=lambda item: item[1].mode == LINK):
            _write(staging / path, entry.mode, content[entry.oid])
        _check_links(staging, [path for path, entry in chosen.items() if entry.mode == LINK])
        staging.chmod(0o755)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_links(folder: Path, links: Iterable[str]) -> None:
    """Refuse a link that leaves `folder`, asking the file system: links may lead through links."""
    inside = Path(os.path.realpath(folder))
    for link in links:
        end = Path(os.path.realpath(folder / link))
        # An absolute one would point into the staging folder at best, which is renamed.
        if (folder / link).readlink().is_absolute() or not end.is_relative_to(inside):
            raise Refused(f"{link} is a link to {(folder / link).readlink()}, outside the commit")


def _write(path: Path, mode: str, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == LINK:
        path.symlink_to(os.fsdecode(content))
        return
    path.write_bytes(content)
    if mode == EXECUTABLE:
        path.chmod(0o755)
