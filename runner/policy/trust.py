"""Whose registry.yaml counts: nobody raises a ceiling for the very change that needs it raised.

Policy with its owners, permitted secrets, the variables of nodes and the webhook count as the
commit says that was applied before, and as the commit itself does where that is stricter: what a
change of them permits counts from the apply after the one that merges it, what it forbids at once.
So applying the same commit again lifts no hold. Everything else is read from the commit itself.
"""

from __future__ import annotations

from typing import NamedTuple

from runner import screen
from runner.errors import Refused
from runner.git.repository import Repository
from runner.ledger.snapshot import Snapshot
from runner.policy.stricter import stricter
from runner.registry import Policy, Registry
from runner.root import FILE
from runner.spec.check import load_registry
from runner.spec.tree import MemoryTree

LATER = {
    "policy": "the policy",
    "secrets": "the permitted secrets",
    "node_variables": "the variables that nodes get",
    "webhook": "the webhook",
}
"""The settings that are not taken from the commit alone, as people call them."""

AT_ONCE = {
    "run_store": "the run store",
    "dvc_remotes": "the DVC remotes",
    "launcher": "the launcher",
    "forge": "the forge",
}
"""The settings that are, and say where runs and what they leave go to."""


class Settings(NamedTuple):
    """The settings that count for a commit, and what a plan of it has to say about them."""

    registry: Registry
    notes: tuple[str, ...]


def trusted(
    repository: Repository, tip: Registry, snapshot: Snapshot, commit: str | None
) -> Settings:
    """Return the settings that count for applying `commit`, whose own are `tip`.

    `commit` is None for what is no commit of the default branch, such as a work tree or a merge: it
    counts as what is applied next. The first apply uses its own. Raises Refused when the commit
    that was applied before is out of reach, or its settings cannot be read.
    """
    source = _source(snapshot, commit)
    if source is None:
        return Settings(tip, ())
    former = _registry_at(repository, source)
    return Settings(stricter(former, tip), notes(former, tip))


def in_force(repository: Repository, own: Registry, snapshot: Snapshot) -> Registry:
    """Return what counts for what is launched by hand where the settings are `own`.

    What counted for the last apply, or its commit's or `own` where those are stricter. Raises as
    `trusted` does.
    """
    applied = snapshot.applied()
    if applied is None:
        return own
    last = trusted(repository, _registry_at(repository, applied), snapshot, applied)
    return stricter(last.registry, own)


def settings_of_plan(
    repository: Repository, tip: Registry, snapshot: Snapshot, commit: str | None
) -> Settings:
    """Return what `trusted` does for a plan.

    A plan is advice: where the settings that count cannot be read it says so and holds everything.
    """
    try:
        return trusted(repository, tip, snapshot, commit)
    except Refused as refusal:
        note = f"{refusal.message}: every launch is held in this plan, and no secret is permitted"
        screen.say(note)
        return Settings(_strictest(tip), (note,))


def notes(former: Registry, tip: Registry) -> tuple[str, ...]:
    """Return what `tip` changes, and from when on it counts, in words for the plan."""
    later, at_once = (
        [what for field, what in fields.items() if _differs(field, former, tip)]
        for fields in (LATER, AT_ONCE)
    )
    told = []
    if later:
        told.append(
            f"this changes {_listed(later)}; what it permits counts from the apply after the one "
            "that merges it, what it forbids at once"
        )
    if at_once:
        told.append(
            f"this changes {_listed(at_once)}; what is launched from this merge on goes elsewhere"
        )
    return tuple(told)


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _differs(field: str, one: Registry, other: Registry) -> bool:
    return bool(getattr(one, field) != getattr(other, field))


def _source(snapshot: Snapshot, commit: str | None) -> str | None:
    """Return the commit that counts as applied before `commit`; None for the first."""
    applied = snapshot.applied()
    if applied is not None and applied == commit:
        return snapshot.applied_before()
    return applied


def _registry_at(repository: Repository, commit: str) -> Registry:
    if not repository.obtain(commit):
        raise Refused(
            f"{commit[:12]}, whose {FILE} says what is permitted, is neither here nor at the "
            "remote",
            cure=f"git push origin {commit}:refs/heads/applied   from a clone that has it",
        )
    try:
        return load_registry(MemoryTree(repository.read_paths(commit, [FILE])))
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
