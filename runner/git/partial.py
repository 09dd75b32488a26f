"""Blobs of a partial clone (`git clone --filter=blob:none`), fetched many at a time.

Git itself fetches each blob that is asked for and not there by a connection of its own: a hundred
files cost a hundred of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.git.process import NETWORK_SECONDS, GitProcess

_FETCH = (
    *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-auto-gc"),
    *("--no-write-fetch-head", "--refmap=", "--recurse-submodules=no", "--filter=blob:none"),
)


class Promised:
    """What a remote has promised to deliver when it is asked for."""

    def __init__(self, git: GitProcess) -> None:
        """Use `git`; nothing is asked of it yet."""
        self._git = git
        self._remote: str | None = None
        self._here: set[str] | None = None

    def __bool__(self) -> bool:
        """Whether this is a partial clone."""
        return bool(self._promisor())

    def obtain(self, oids: Iterable[str]) -> None:
        """Fetch those objects that are not here, if this is a partial clone.

        What cannot be fetched so is left for git, which reports it when it is read.
        """
        remote = self._promisor()
        if not remote:
            return
        if self._here is None:
            listed = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
            self._here = set(self._git.call(*listed).text.split())
        missing = set(oids) - self._here
        if missing:
            request = "".join(f"{oid}\n" for oid in sorted(missing)).encode()
            self._git.ask(*_FETCH, "--stdin", remote, stdin=request, seconds=NETWORK_SECONDS)
            self._here |= missing

    def _promisor(self) -> str:
        """Return the remote that promises objects; empty in a full clone."""
        if self._remote is None:
            if "promisor" not in (self._git.folder / "config").read_text(errors="replace"):
                self._remote = ""
                return ""
            configured = self._git.ask("config", "--get-regexp", r"^remote\..*\.promisor$")
            names = (line.split(" ")[0] for line in configured.text.splitlines())
            self._remote = next((name.split(".", 1)[1].rpartition(".")[0] for name in names), "")
        return self._remote
