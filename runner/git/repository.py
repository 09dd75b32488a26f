"""The git repository of a registry: every git call of the product goes through `Repository`.

Files of a commit (`runner.git.commit_tree`) are read as git objects, never through the work tree;
many of them in one process, by object id: one `git show` per file costs a hundred times more.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from runner.errors import OutsideError, Refused
from runner.git.fast_import import commit_stream
from runner.git.history import History
from runner.git.listing import Entry, entry_of, listed
from runner.git.objects import Objects
from runner.git.partial import Promised
from runner.git.process import NETWORK_SECONDS, GitProcess
from runner.git.remote import Remote
from runner.printable import one_line

CONTENT_FOLDERS = ("experiments", "reward", "data", "tools", "templates")
"""Where an untracked file may change what a run means, so that it makes the tree dirty."""


_STATUS = ("status", "--porcelain", "-z", "--no-renames", "-uall")
_DIFFERENCE = ("diff-tree", "-r", "-z", "--no-renames", "--name-status")
_CONFIGURATION = ("config", "--list", "-z")
_LISTING = ("ls-tree", "-r", "-z", "--full-tree")


class Difference(NamedTuple):
    """How the files of two commits differ."""

    changed: frozenset[str]
    """Every path that is not the same in both."""
    come_or_gone: frozenset[str]
    """Those of them that are files of one alone."""


class Tip(NamedTuple):
    """The newest commit of the default branch, and where it was seen."""

    branch: str
    commit: str
    remote: str | None


class Repository:
    """One git repository with a work tree."""

    def __init__(self, root: Path, *, network_seconds: float = NETWORK_SECONDS) -> None:
        """Open the repository whose top folder is `root`.

        Raises Refused when it is not one, OutsideError when git is missing.
        """
        self.root = root.resolve()
        self._git = GitProcess(self.root)
        self._objects = Objects(self._git)
        self._network_seconds = network_seconds
        self._promised = Promised(self._git)

    # What is here

    def version(self) -> str:
        """Return which git it is, such as `git version 2.39.5`."""
        return self._git.call("--version").text

    def head(self) -> str:
        """Return the commit that is checked out; raises Refused when there is none yet."""
        return self.resolve("HEAD")

    def resolve(self, revision: str) -> str:
        """Return the commit id of `revision`; raises Refused when there is no such commit."""
        found = None if revision.startswith("-") else self.reference(f"{revision}^{{commit}}")
        if found is None and revision == "HEAD":
            raise Refused("this repository has no commit yet", cure="git add -A && git commit")
        if found is None:
            raise Refused(
                f"there is no commit {revision!r} in this clone",
                cure="check the spelling; git fetch --unshallow   where the clone is shallow",
            )
        return found

    def reference(self, name: str) -> str | None:
        """Return the object id that `name` stands for, or None."""
        found = self._objects.one(name)
        return found.oid if found else None

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Return whether `ancestor` is `commit` or one of its ancestors, as far as known here."""
        if ancestor == commit:
            return self.reference(commit) is not None
        answer = self._git.ask("merge-base", "--is-ancestor", ancestor, commit)
        return answer.status == 0

    def is_shallow(self) -> bool:
        """Return whether older history is missing from this clone."""
        return self._git.call("rev-parse", "--is-shallow-repository").text == "true"

    def obtain(self, commit: str, remote: str = "origin") -> bool:
        """Return whether `commit` is here, after asking the remote for it if it was not."""
        if self.reference(f"{commit}^{{commit}}"):
            return True
        there = self.remote(remote)
        if there is not None:
            with contextlib.suppress(OutsideError):
                there.fetch(commit, commit)
        return self.reference(f"{commit}^{{commit}}") is not None

    @cached_property
    def history(self) -> History:
        """Which commits changed what."""
        return History(self._git)

    def begin(self, revision: str | None) -> None:
        """Let git begin with what a plan of `revision` will ask first; None: of the work tree.

        It works in processes of its own, while modules are loaded here.
        """
        if revision is None:
            self._git.begin(*_STATUS)
        self._objects.begin()
        self._git.begin(*_CONFIGURATION)

    def look_ahead(self, revision: str | None, *, since: str | None) -> None:
        """Let git begin to list the files of `revision`, and what differs from the commit `since`.

        None: of what is checked out, and nothing.
        """
        with contextlib.suppress(Refused):
            commit = self.resolve(revision or "HEAD")
            self._git.begin(*_LISTING, commit)
            if since and since != commit and self.reference(f"{since}^{{commit}}") == since:
                self._git.begin(*_DIFFERENCE, since, commit)

    def uncommitted(self) -> list[str]:
        """Return every changed tracked path, and every untracked one that git does not ignore."""
        return [path for _, path in self._status()]

    def dirt(self, folders: Iterable[str] = CONTENT_FOLDERS) -> list[str]:
        """Return the changed tracked paths, and the untracked ones below `folders`."""
        below = tuple(f"{folder}/" for folder in folders)
        return [path for state, path in self._status() if state != "??" or path.startswith(below)]

    def _status(self) -> list[tuple[str, str]]:
        entries = self._git.call(*_STATUS).text.split("\0")
        return [(entry[:2], entry[3:]) for entry in entries if entry]

    def is_dirty(self) -> bool:
        """Return whether the work tree holds something that no commit does: see `dirt`."""
        return bool(self.dirt())

    def git_config(self, key: str) -> str | None:
        """Return the value that git sees for `key`, or None."""
        section, _, name = key.rpartition(".")
        head, dot, subsection = section.partition(".")
        wanted = f"{head.lower()}{dot}{subsection}.{name.lower()}"
        settings = self._git.call(*_CONFIGURATION).text.split("\0")
        pairs = dict(setting.partition("\n")[::2] for setting in settings)  # the last one counts
        return pairs.get(wanted)

    def current_branch(self) -> str | None:
        """Return the branch that is checked out, None when HEAD is detached."""
        answer = self._git.ask("symbolic-ref", "--quiet", "--short", "HEAD")
        return answer.text if answer.status == 0 else None

    # Files of a commit

    def files(self, commit: str, folder: str = "") -> dict[str, Entry]:
        """Return every file of `commit` (below `folder`) by path."""
        return {path: entry_of(said) for path, said in self.listing(commit, folder).items()}

    def listing(self, commit: str, folder: str = "") -> dict[str, str]:
        """Return `<mode> <type> <oid>` of every file of `commit` (below `folder`) by path."""
        below = ["--", f"{folder.rstrip('/')}/"] if folder else []
        return listed(self._git.call(*_LISTING, commit, *below).text)

    def folders(self, commit: str, folder: str) -> list[str]:
        """Return the names directly below `folder` of `commit`; none when it is not there."""
        answer = self._git.ask("ls-tree", "-z", "--name-only", f"{commit}:{folder}")
        return [name for name in answer.text.split("\0") if name] if answer.status == 0 else []

    def read_many(self, oids: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of each blob, by one process; raises OutsideError for a lost one."""
        wanted = list(dict.fromkeys(oids))
        self._promised.obtain(wanted)
        found = self._read_batch(wanted)
        if lost := [oid for oid in wanted if oid not in found]:
            raise OutsideError(
                f"git object {lost[0]} is missing from this clone", cure="git fetch --refetch"
            )
        return found

    def read_paths(self, commit: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those `paths` that are files of `commit`; for few paths."""
        names = {f"{commit}:{path}": path for path in paths if "\n" not in path}
        if names and self._promised:
            answer = self._git.ask("ls-tree", "-z", "--full-tree", commit, "--", *names.values())
            self._promised.obtain(entry_of(said).oid for said in listed(answer.text).values())
        found = self._read_batch(list(names))
        return {names[name]: content for name, content in found.items()}

    def expect(self, names: Iterable[str]) -> None:
        """Let git begin to read the objects of these names, for `read_many` and `read_paths`.

        Names are ids or `<commit>:<path>`. What a remote would have to send first is passed over.
        """
        if not self._promised:
            with contextlib.suppress(BrokenPipeError):  # it is told when they are read
                self._objects.expect(names)

    def _read_batch(self, names: Iterable[str]) -> dict[str, bytes]:
        found = self._objects.find(names)
        return {name: one.content for name, one in found.items() if one.kind == "blob"}

    def difference(self, one: str, other: str) -> Difference:
        """Return what differs between two commits or trees."""
        answer = self._git.call(*_DIFFERENCE, one, other)
        fields = answer.text.split("\0")
        status = dict(zip(fields[1::2], fields[::2], strict=False))
        come_or_gone = frozenset(path for path, letter in status.items() if letter in ("A", "D"))
        return Difference(frozenset(status), come_or_gone)

    def merged_tree(self, base: str, head: str) -> str:
        """Return the tree that merging `head` into `base` would give; nothing is checked out.

        Raises Refused, with the paths, where the two conflict or have no history in common.
        """
        options = ["--write-tree", "--name-only", "--no-messages", "-z"]
        answer = self._git.ask("merge-tree", *options, base, head)
        tree, *conflicts = (part for part in answer.text.split("\0") if part)
        if answer.status == 0:
            return tree
        if answer.status == 1:
            more = f" and {len(conflicts) - 3} more" if len(conflicts) > 3 else ""
            shown = ", ".join(map(one_line, conflicts[:3]))
            raise Refused(
                f"{head[:12]} conflicts with {base[:12]} in {shown}{more}",
                cure="merge the base into it and resolve them",
            )
        raise Refused(f"{head[:12]} cannot be merged into {base[:12]}: {answer.last_line}")

    def add_worktree(self, folder: Path, commit: str) -> None:
        """Check `commit` out into the new `folder`, a work tree of this repository."""
        self._git.call("worktree", "add", "--quiet", "--detach", "--", str(folder), commit)

    # Remotes

    def remote(self, name: str | None) -> Remote | None:
        """Return the configured remote of this name, None when there is none."""
        if name is None or self.git_config(f"remote.{name}.url") is None:
            return None
        return Remote(self._git, self._objects, name, self._network_seconds)

    def _local_default_branch(self) -> str:
        for usual in (self.git_config("init.defaultBranch"), "main", "master"):
            if usual and self.reference(f"refs/heads/{usual}"):
                return usual
        if branch := self.current_branch():
            return branch
        raise Refused("this repository has no branch", cure="git switch -c main")

    def tip(self, remote: str = "origin") -> Tip:
        """Return the newest commit of the default branch, fetched when the remote is ahead.

        Without a remote it is the local default branch's. Raises OutsideError when the remote does
        not answer, Refused when there is no commit.
        """
        there = self.remote(remote)
        if there is None:
            branch = self._local_default_branch()
            return Tip(branch, self.resolve(f"refs/heads/{branch}"), None)
        branch, commit = there.head()
        there.fetch(f"refs/heads/{branch}", commit)
        return Tip(branch, commit, remote)

    # Writing, without a work tree

    def set_reference(self, reference: str, new: str, old: str | None) -> bool:
        """Move `reference` from `old` (None: create it) to `new`; False when it was elsewhere."""
        return self._git.ask("update-ref", reference, new, old or "0" * 40).status == 0

    def commit(self, parent: str | None, files: Mapping[str, bytes | None], message: str) -> str:
        """Make a commit of `files` (None: deleted) on top of `parent`; no branch moves.

        Costs what the files cost, not what the tree does. Raises OutsideError when git fails.
        """
        reference = f"refs/rollbook/outgoing/{secrets.token_hex(16)}"
        stream = commit_stream(reference, parent, files, message)
        made = self._git.call("fast-import", "--quiet", "--done", stdin=stream).text
        self._git.call("update-ref", "-d", reference)
        return made
