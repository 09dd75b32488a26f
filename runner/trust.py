"""Whose registry.yaml counts: nobody raises a ceiling for the very change that needs it raised.

Policy with its owners, permitted secrets, the variables of nodes and the webhook are read from the
commit that was applied before; everything else from the commit itself. So a change of them counts
from the apply after the one that merges it, and applying the same commit again lifts no hold.
"""

from __future__ import annotations

from typing import NamedTuple

from runner import screen
from runner.errors import Refused
from runner.git.repository import CommitTree, Repository
from runner.ledger.snapshot import Snapshot
from runner.registry import FILE, Policy, Registry
from runner.spec.check import load_registry

FIELDS = {
    "policy": "the policy",
    "secrets": "the permitted secrets",
    "node_variables": "the variables that nodes get",
    "webhook": "the webhook",
}
"""The settings that are not taken from the commit itself, as people call them."""


class Settings(NamedTuple):
    """The settings that count for a plan, and what it has to say about them."""

    registry: Registry
    notes: tuple[str, ...]


def trusted(
    repository: Repository, tip: Registry, snapshot: Snapshot, commit: str | None
) -> Registry:
    """Return `tip`, the settings of `commit`, with the `FIELDS` that count for applying it.

    `commit` is None for what is no commit of the default branch, such as a work tree or a merge: it
    counts as what is applied next. The first apply uses its own. Raises Refused when the commit
    whose settings count is out of reach, or they cannot be read.
    """
    source = _source(snapshot, commit)
    if source is None:
        return tip
    counting = _registry_at(repository, source)
    return tip.model_copy(update={field: getattr(counting, field) for field in FIELDS})


def in_force(repository: Repository, own: Registry, snapshot: Snapshot) -> Registry:
    """Return `own` with the `FIELDS` that counted for the last apply: for what is launched by hand.

    Raises as `trusted` does.
    """
    return trusted(repository, own, snapshot, snapshot.applied())


def settings_of_plan(
    repository: Repository, tip: Registry, snapshot: Snapshot, commit: str | None
) -> Settings:
    """Return what `trusted` does, with notes on what `tip` changes.

    A plan is advice: where the settings that count cannot be read it says so and holds everything.
    """
    try:
        registry = trusted(repository, tip, snapshot, commit)
    except Refused as refusal:
        note = f"{refusal.message}: every launch is held in this plan, and no secret is permitted"
        screen.say(note)
        return Settings(_strictest(tip), (note,))
    return Settings(registry, notes(tip, registry))


def notes(tip: Registry, counting: Registry) -> tuple[str, ...]:
    """Return what `tip` says other than the settings that count, in words for the plan."""
    changed = [what for field, what in FIELDS.items() if _differs(field, tip, counting)]
    if not changed:
        return ()
    *first, last = changed
    what = f"{', '.join(first)} and {last}" if first else last
    return (f"this changes {what}; it counts from the apply after the one that merges it",)


def _differs(field: str, one: Registry, other: Registry) -> bool:
    return bool(getattr(one, field) != getattr(other, field))


def _source(snapshot: Snapshot, commit: str | None) -> str | None:
    """Return the commit whose settings count for `commit`; None for its own."""
    applied = snapshot.applied()
    if applied is not None and applied == commit:
        return snapshot.applied_before() or applied
    return applied


def _registry_at(repository: Repository, commit: str) -> Registry:
    if not repository.obtain(commit):
        raise Refused(
            f"{commit[:12]}, whose {FILE} says what is permitted, is neither here nor at the "
            "remote",
            cure=f"git push origin {commit}:refs/heads/applied   from a clone that has it",
        )
    try:
        return load_registry(CommitTree(repository, commit))
    except Refused as refusal:
        raise Refused(
            f"{FILE} of {commit[:12]}, which says what is permitted, cannot be read: "
            f"{refusal.message}",
            cure=f"git show {commit[:12]}:{FILE}   shows it; use the runner that applied it",
        ) from refusal


def _strictest(tip: Registry) -> Registry:
    nothing = Policy.model_construct(launches_per_apply=0)
    return tip.model_copy(
        update={"policy": nothing, "secrets": {}, "node_variables": (), "webhook": None}
    )
