"""The files of one commit, read as git objects: a tree of specs that nobody has checked out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from runner.git.extraction import extract
from runner.git.listing import Entry, entry_of
from runner.git.repository import Difference, Repository


class CommitTree:
    """The files of one commit, read without checking it out."""

    def __init__(self, repository: Repository, commit: str) -> None:
        """Look at `commit` (a full id) of `repository`; nothing is read before it is asked for."""
        self.commit = commit
        self._repository = repository
        self._content: dict[str, bytes] = {}
        self._paths: dict[tuple[str, str], list[str]] = {}
        self._since: dict[str, Difference] = {}

    @property
    def files(self) -> dict[str, Entry]:
        """Every file by path."""
        return {path: entry_of(said) for path, said in self._listing.items()}

    @cached_property
    def _listing(self) -> dict[str, str]:
        # As git says it: of ten thousand files few are looked at.
        return self._repository.listing(self.commit)

    def expect(self, paths: Iterable[str]) -> None:
        """Let git begin to read the files at `paths`, which `read` will be asked for."""
        oids = filter(None, map(self.blob, paths))
        self._repository.expect(oid for oid in oids if oid not in self._content)

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of each object, read by one process; what was read is kept."""
        wanted = list(oids)
        missing = [oid for oid in wanted if oid not in self._content]
        self._content.update(self._repository.read_many(missing))
        return {oid: self._content[oid] for oid in wanted}

    def oid(self, path: str) -> str | None:
        """Return the object id of the file at `path`, None when there is none."""
        said = self._listing.get(path)
        return entry_of(said).oid if said else None

    def paths(self, folder: str = "", suffix: str = "") -> list[str]:
        """Return the sorted paths below `folder` that end in `suffix`."""
        below = f"{folder.strip('/')}/" if folder.strip("/") else ""
        if (below, suffix) not in self._paths:
            found = [path for path in self._listing if path.endswith(suffix)]
            self._paths[below, suffix] = sorted(p for p in found if p.startswith(below))
        return list(self._paths[below, suffix])

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none."""
        return self.read_many([path]).get(path)

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those `paths` that are files, all read by one process."""
        oids = {path: oid for path in paths if (oid := self.blob(path))}
        content = self.blobs(oids.values())
        return {path: content[oid] for path, oid in oids.items()}

    def archive(self, paths: Iterable[str], target: Path) -> None:
        """Write the named files and folders into the new folder `target`, without .git.

        The bytes are the blobs' own: no line ends, keywords or filters are applied. Raises Refused
        when a path is not in the commit, a link leaves the folder, or `target` is in use.
        """
        extract(self, list(paths), target)

    def has(self, path: str) -> bool:
        """Whether there is something at `path`: a file, or a link, which has no blob."""
        return path in self._listing

    def since(self, commit: str) -> Difference | None:
        """Return what differs from `commit`; None when that is out of reach."""
        if commit == self.commit:
            return Difference(frozenset(), frozenset())
        if commit not in self._since and self._repository.obtain(commit):
            self._since[commit] = self._repository.difference(commit, self.commit)
        return self._since.get(commit)

    def blob(self, path: str) -> str:
        """Return the blob id of the file at `path`; empty where there is none."""
        said = self._listing.get(path, "")
        # A link is no file: what it points to is not part of what was reviewed under this name.
        return entry_of(said).oid if said.startswith(("100644 ", "100755 ")) else ""
