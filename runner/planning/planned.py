"""A tree, planned with the settings that count for it."""

from __future__ import annotations

from typing import NamedTuple

from runner.ledger.snapshot import Snapshot
from runner.plan import make_plan
from runner.planning.actions import Launchable, Plan
from runner.policy.trust import settings_of_plan
from runner.registry import Registry
from runner.spec.check import load_registry
from runner.spec.tree import Tree
from runner.workspace import Workspace


class Planned(NamedTuple):
    """A plan, and what it is a plan of."""

    plan: Plan
    runs: tuple[Launchable, ...]
    tree: Tree
    registry: Registry
    """The settings that count for it."""


def plan_tree(
    workspace: Workspace,
    snapshot: Snapshot,
    tree: Tree,
    *,
    head: str,
    base: str | None = None,
    commit: str | None = None,
    uncommitted: bool = False,
    also: frozenset[str] = frozenset(),
) -> Planned:
    """Plan the files of `tree`: of `commit`, or of what is no commit of the default branch.

    The experiments of `also` are looked at in any case.

    Raises Refused where registry.yaml is missing, InvalidSpec where it is invalid.
    """
    tip = load_registry(tree)
    registry, notes = settings_of_plan(workspace.repository, tip, snapshot, commit)
    plan, runs = make_plan(
        tree, snapshot, registry,
        head=head, base=base, uncommitted=uncommitted, notes=notes, also=also,
    )  # fmt: skip
    return Planned(plan, runs, tree, registry)
