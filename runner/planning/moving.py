"""A registry.yaml that names another ledger than before: what was recorded must not be left behind.

An empty ledger knows of no run and of no settings that count, so everything would be launched, as
the change itself permits. A ledger is moved by copying its branch: see docs/policy.md.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.errors import OutsideError, Refused
from runner.git.commit_tree import CommitTree
from runner.git.repository import Repository
from runner.ledger.branch import Ledger
from runner.ledger.snapshot import Snapshot
from runner.registry import Registry
from runner.root import FILE
from runner.spec.check import load_registry


class _Former(NamedTuple):
    """A ledger that the default branch named once."""

    registry: Registry
    """The newest settings that name it."""
    left_by: str
    """The commit that named another."""


def check_request(before: Registry, after: Registry) -> None:
    """Raise Refused when a request changes the ledger: who owns it moves it, by hand."""
    if _place(before) != _place(after):
        raise Refused(
            f"{FILE} names another ledger: {_told(before)} becomes {_told(after)}; what is "
            "recorded there would count as never launched, and what is permitted as never said",
            cure="leave `ledger` and `lineage` as they are; docs/policy.md has how an owner moves "
            "a ledger",
        )


def check_moved(repository: Repository, tip: Registry, snapshot: Snapshot, commit: str) -> None:
    """Raise Refused when `commit` names a ledger that does not go on from the one before it.

    One that does says what was applied last: up to the move, or from the move on.
    """
    applied = snapshot.applied()
    if applied is None and repository.is_shallow():
        raise Refused(
            "nothing was applied by this ledger yet, and this clone is too shallow to tell whether "
            f"{FILE} named another one before",
            cure="git fetch --unshallow   (in CI: fetch-depth: 0)",
        )
    formers = _formers(repository, tip, commit)
    if not formers or (applied and _goes_on(repository, formers[0].left_by, applied)):
        return
    used = formers[:1] if applied else [one for one in formers if _was_used(repository, one)]
    if used:
        raise _left_behind(tip, used[0], applied)


def _left_behind(tip: Registry, former: _Former, applied: str | None) -> Refused:
    last = f"it was last applied to {applied[:12]}" if applied else "it has applied nothing"
    return Refused(
        f"since {former.left_by[:12]} {FILE} does not name {_told(former.registry)} any more, and "
        f"{_told(tip)} does not go on from it: {last}",
        cure=f"put `ledger` and `lineage` back, or copy the branch: {_copying(former, tip)}",
    )


def _copying(former: _Former, tip: Registry) -> str:
    old, new = former.registry.ledger, tip.ledger
    source = f"{old.remote}/{old.branch}" if old.remote else old.branch
    return f"git push {new.remote or '.'} {source}:refs/heads/{new.branch}   (docs/policy.md)"


def _place(registry: Registry) -> tuple[str, str | None, str]:
    return registry.ledger.branch, registry.ledger.remote, registry.lineage


def _told(registry: Registry) -> str:
    branch, remote, lineage = _place(registry)
    where = f" at {remote}" if remote else ""
    return f"{branch}{where} (lineage {lineage[:8]}…)"


def _formers(repository: Repository, tip: Registry, commit: str) -> list[_Former]:
    """Return the other ledgers, the last one first; settings that cannot be read are passed over.

    They are a later runner's, or were never applied.
    """
    found: dict[tuple[str, str | None, str], _Former] = {}
    newer = commit
    for changed in repository.history.changes(commit, FILE):
        registry = _readable(repository, changed)
        if registry is not None and _place(registry) != _place(tip):
            found.setdefault(_place(registry), _Former(registry, newer))
        newer = changed
    return list(found.values())


def _readable(repository: Repository, commit: str) -> Registry | None:
    try:
        return load_registry(CommitTree(repository, commit))
    except Refused:
        return None


def _goes_on(repository: Repository, left_by: str, applied: str) -> bool:
    """Whether `applied` is of the default branch up to the move, or from it on."""
    if not repository.obtain(applied):
        return False
    before = repository.is_ancestor(applied, f"{left_by}^")
    return before or repository.is_ancestor(left_by, applied)


def _was_used(repository: Repository, former: _Former) -> bool:
    """Whether a former ledger has applied something, or it cannot be told."""
    settings = former.registry.ledger
    if settings.remote and repository.remote(settings.remote) is None:
        return True
    ledger = Ledger(repository, settings, former.registry.lineage)
    try:
        return ledger.exists() and ledger.fetch().applied() is not None
    except (Refused, OutsideError):
        return True
