"""The ledger: an orphan git branch that records every run, written by compare-and-swap.

A transaction is a function from the newest snapshot to changes. They become one commit on top of
that snapshot, published only if the branch still is where the snapshot was; a lost race fetches and
asks the function again, so every transition is validated against what the others wrote.

With a remote the remote's branch is the truth, and `refs/rollbook/ledger/…` remembers where it was
last seen: apart from the tracking branch, which any `git fetch` moves, even to a rewritten history.
Without a remote the local branch is the truth.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from runner.errors import OutsideError, Refused
from runner.git.repository import Repository
from runner.ledger.record import ledger_json
from runner.ledger.snapshot import ACTIVE, LINEAGE, Snapshot
from runner.registry import LedgerSettings

if TYPE_CHECKING:
    from runner.ledger.draft import Changes

__all__ = ["Ledger", "Snapshot"]

Step = Callable[[Snapshot], "Changes"]

ATTEMPTS = 24
"""Lost races after which a transaction gives up."""
REJECTIONS = 4
"""Failed pushes, with nobody else having moved the branch, after which it gives up."""
LONGEST_PAUSE_S = 30.0
_LONGEST_PAUSE_TRIES = 32
"""The longest pause after a lost race, in times of what the last try took."""
_LOCK_PAUSES = (0.0, 0.1, 0.5, 2.0)
"""Seconds before each try to move a reference that another process of this clone may hold."""

_README = """\
# Ledger

Written by `runner`; do not edit, rewrite or delete this branch: it is what keeps a run from being
launched twice.
"""


class Ledger:
    """The ledger of one registry."""

    def __init__(self, repository: Repository, settings: LedgerSettings, lineage: str) -> None:
        """Use the branch that `settings` name; it must carry `lineage`."""
        self._repository = repository
        self._lineage = lineage
        self._branch = settings.branch
        self._remote = repository.remote(settings.remote)
        self._known_ahead: str | None = None
        self._reference = f"refs/heads/{settings.branch}"
        self._known_reference = (
            f"refs/rollbook/ledger/{self._remote.name}/{settings.branch}"
            if self._remote
            else self._reference
        )

    # Reading

    def look_ahead(self) -> Snapshot | None:
        """Let git begin to ask the remote where the ledger is, for the next `fetch`.

        Returns the ledger as last seen by this clone, unverified; None where it never was.
        """
        known = self._known()
        if self._remote:
            self._known_ahead = known
            self._remote.look_ahead(self._reference)
        return self._at(known) if known else None

    def exists(self) -> bool:
        """Return whether there is a branch of this name where the ledger belongs."""
        return self._truth() is not None

    def snapshot(self) -> Snapshot:
        """Return the ledger as last seen by this clone, without asking the remote.

        Raises Refused when this clone has never seen it or it is another registry's.
        """
        known = self._known()
        if known is None:
            cure = "runner sync   fetches it" if self._remote else "runner init   makes it"
            raise Refused(f"this clone has no ledger branch {self._branch}", cure=cure)
        return self._verified(known)

    def fetch(self) -> Snapshot:
        """Return the newest ledger.

        Raises OutsideError when the remote does not answer; Refused when the branch is missing, was
        deleted or rewritten, or carries another lineage: nothing is changed then.
        """
        # Known first: what was at the remote before can only have been built upon since.
        known, self._known_ahead = self._known_ahead or self._known(), None
        newest = self._truth()
        if newest is None:
            raise self._missing(known)
        if self._remote and newest != known:
            self._remote.fetch(self._reference, newest)
            if known and not self._repository.is_ancestor(known, newest):
                raise self._rewritten(known, newest)
        snapshot = self._verified(newest)
        self._remember(newest)
        return snapshot

    def _truth(self) -> str | None:
        if self._remote:
            return self._remote.reference(self._reference)
        return self._repository.reference(self._reference)

    def _known(self) -> str | None:
        """Return where this clone has last seen the branch, the tracking branch included."""
        known = self._repository.reference(self._known_reference)
        if self._remote is None:
            return known
        tracking = f"refs/remotes/{self._remote.name}/{self._branch}"
        tracked = self._repository.reference(tracking)
        if known is None or (tracked and self._repository.is_ancestor(known, tracked)):
            return tracked
        return known

    def _remember(self, commit: str) -> None:
        """Note where the branch is; raises OutsideError where the note cannot be moved for good."""
        if self._remote is None:
            return
        for pause in _LOCK_PAUSES:
            time.sleep(pause)
            before = self._repository.reference(self._known_reference)
            # Another process of this clone may be ahead; then its word stays.
            if before and (before == commit or not self._repository.is_ancestor(before, commit)):
                return
            if self._repository.set_reference(self._known_reference, commit, before):
                return
        raise self._locked(self._known_reference)

    def _verified(self, commit: str) -> Snapshot:
        snapshot = self._at(commit)
        content = snapshot.read(LINEAGE)
        if content is None:
            raise Refused(
                f"branch {self._branch} is no ledger: it carries no lineage",
                cure="name another branch as `ledger: {branch: …}` in registry.yaml",
            )
        found = content.decode("utf-8", "replace").strip()
        if found != self._lineage:
            raise self._foreign(found)
        return snapshot

    def _at(self, commit: str) -> Snapshot:
        there = self._remote.name if self._remote else "."
        return Snapshot(self._repository, commit, f"{there} HEAD:{self._reference}")

    # Writing

    def create(self) -> Snapshot:
        """Make the branch with its lineage, at the remote too where there is one.

        Only `runner init` does so. Raises Refused when it exists or existed, OutsideError when the
        remote does not take it.
        """
        if self.exists():
            raise Refused(f"the ledger branch {self._branch} exists already; it is kept")
        if known := self._known():
            raise self._missing(known)
        root = self._commit(None, self._first_files(), "The ledger of a registry")
        failure = self._publish(root, None)
        if failure and self._truth() != root:
            raise self._not_taken(failure)
        self._remember(root)
        return self._at(root)

    def _first_files(self) -> dict[str, bytes | None]:
        return {
            LINEAGE: f"{self._lineage}\n".encode(),
            "README.md": _README.encode(),
            ".gitattributes": b"* -text linguist-generated\n",
            ACTIVE: ledger_json({}),
        }

    def transact(self, step: Step, message: str = "") -> Snapshot:
        """Ask `step` what to change, publish it as one commit, and return the ledger after it.

        `step` gets the newest snapshot and may be asked again on a newer one: it must decide from
        the snapshot alone. What holds in the end is in the returned snapshot. Changes that change
        nothing write nothing. An error that `step` raises goes through, and nothing is written.
        Raises as `fetch` does, and OutsideError when the branch cannot be moved.
        """
        made: list[str] = []
        rejections, failure, parent, took = 0, "", None, 0.0
        for attempt in range(ATTEMPTS):
            time.sleep(_pause(attempt, took))
            began = time.monotonic()
            snapshot = self.fetch()
            if self._has_landed(made, snapshot):
                return snapshot
            rejections += bool(failure) and snapshot.commit == parent
            if rejections >= REJECTIONS:
                raise self._not_taken(failure)
            changes = step(snapshot)
            files = _real_changes(snapshot, changes)
            if not files:
                return snapshot
            parent = snapshot.commit
            made.append(self._commit(parent, files, changes.message or message))
            failure = self._publish(made[-1], parent)
            if not failure:
                return self._at(made[-1])
            took = time.monotonic() - began
        raise self._not_taken(failure)

    def _has_landed(self, made: Iterable[str], snapshot: Snapshot) -> bool:
        """Whether a commit of ours arrived although we were told, or thought, that it had not."""
        newest = snapshot.commit or ""
        return any(self._repository.is_ancestor(commit, newest) for commit in made)

    def _commit(self, parent: str | None, files: dict[str, bytes | None], message: str) -> str:
        # The token makes every commit unique: two processes that write the same in the same second
        # would otherwise make one commit, and both believe that it is theirs.
        subject = f"{message or 'Update the ledger'} [skip ci]"
        text = f"{subject}\n\nTransaction: {secrets.token_hex(16)}\n"
        return self._repository.commit(parent, files, text)

    def _publish(self, new: str, old: str | None) -> str:
        """Move the branch from `old` to `new`; return why it failed, or nothing."""
        if self._remote is None:
            if self._repository.set_reference(self._reference, new, old):
                return ""
            if self._truth() == old:
                return self._locked(self._reference).message
            return "someone else moved the branch"
        failure = self._push(new, old)
        if not failure:
            self._remember(new)
        return failure

    def _push(self, new: str, old: str | None) -> str:
        assert self._remote is not None  # noqa: S101
        try:
            answer = self._remote.push(self._reference, new, old)
        except OutsideError as error:
            return error.message
        return answer.last_line if answer.status else ""

    # What is refused

    def _missing(self, known: str | None) -> Refused:
        where = f" at remote {self._remote.name}" if self._remote else ""
        local = known or self._repository.reference(self._reference)
        if self._remote is None or local is None:
            return Refused(
                f"the registry {self._repository.root} has no ledger branch {self._branch}{where}",
                cure="runner init   makes it, once per registry; go there if another one is meant",
            )
        return Refused(
            f"the ledger branch {self._branch} is gone{where}, but this clone knows it",
            cure=f"git push {self._remote.name} {local}:{self._reference}   puts it back",
        )

    def _rewritten(self, known: str, newest: str) -> Refused:
        remote = self._remote.name if self._remote else "."
        return Refused(
            f"the ledger branch {self._branch} was rewritten: it was at {known[:12]} and is now at "
            f"{newest[:12]}, which does not contain it",
            cure=f"git push --force-with-lease={self._reference}:{newest} {remote} "
            f"{known}:{self._reference}   puts back what this clone knows; "
            f"git log {newest[:12]}...{known[:12]}   shows what differs; if the new one is meant: "
            f"git update-ref -d {self._known_reference} && git fetch {remote}",
        )

    def _foreign(self, found: str) -> Refused:
        return Refused(
            f"the ledger branch {self._branch} belongs to another registry: its lineage is "
            f"{found[:12]}…, registry.yaml says {self._lineage[:12]}…",
            cure="in a fork, name a branch of its own as `ledger: {branch: …}` in registry.yaml, "
            "then runner init",
        )

    def _locked(self, reference: str) -> OutsideError:
        return OutsideError(
            f"git cannot move {reference} in this clone: another git is at it, or one that was "
            f"killed has left its lock, $(git rev-parse --git-common-dir)/{reference}.lock",
            cure=f'rm "$(git rev-parse --git-common-dir)/{reference}.lock"   if no git runs here',
        )

    def _not_taken(self, failure: str) -> OutsideError:
        return OutsideError(
            f"the ledger branch {self._branch} could not be moved: {failure}",
            cure="try again; a rule that protects the branch must let the runner push to it",
        )


def _pause(attempt: int, took: float) -> float:
    """Return the seconds to wait before a try: none before the first, then longer, never in step.

    `took` is how long the last try took: others who write meanwhile make it lose, so only pauses
    that get long beside it let everybody have a turn, at a slow remote as at a fast one.
    """
    longest = min(LONGEST_PAUSE_S, took * min(2**attempt, _LONGEST_PAUSE_TRIES)) if attempt else 0.0
    return random.uniform(longest / 2, longest)  # noqa: S311


def _real_changes(snapshot: Snapshot, changes: Changes) -> dict[str, bytes | None]:
    there = snapshot.read_many(changes.files)
    return {path: content for path, content in changes.files.items() if there.get(path) != content}
