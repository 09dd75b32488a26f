"""What merging one commit into another would do: the plan of the merged files, less the base's own.

    base, head -> merged tree (git objects) -> plan -> without what the base plans anyway

Nothing is checked out or executed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from runner.actions import FORESEEN, Action, Launchable, Plan
from runner.git.repository import CommitTree
from runner.ledger.snapshot import Snapshot
from runner.plan import make_plan
from runner.registry import FILE, Registry
from runner.spec.check import load_registry
from runner.spec.identity import digest
from runner.trust import settings_of_plan
from runner.workspace import Workspace


class Merged(NamedTuple):
    """The plan of a merge, and what it is a plan of."""

    plan: Plan
    runs: tuple[Launchable, ...]
    tree: CommitTree
    """The merged files."""
    registry: Registry
    """The settings that count for it."""


def plan_merge(workspace: Workspace, snapshot: Snapshot, base: str, head: str) -> Merged:
    """Plan what merging `head` into `base` changes; both are commits.

    Raises Refused where the two conflict, InvalidSpec where the merged registry.yaml is invalid.
    """
    repository = workspace.repository
    tree = CommitTree(repository, repository.merged_tree(base, head))
    merged = _plan(workspace, snapshot, tree, head=head, base=base)
    before = CommitTree(repository, base)
    if before.read(FILE) is None:
        return merged
    anyway = _plan(workspace, snapshot, before, head=base, base=None)
    return merged._replace(plan=without(merged.plan, anyway.plan))


def _plan(
    workspace: Workspace, snapshot: Snapshot, tree: CommitTree, *, head: str, base: str | None
) -> Merged:
    tip = load_registry(tree)
    settings = settings_of_plan(workspace.repository, tip, snapshot, None)
    plan, runs = make_plan(
        tree, snapshot, settings.registry, head=head, base=base, notes=settings.notes
    )
    return Merged(plan, runs, tree, settings.registry)


def without(plan: Plan, before: Plan) -> Plan:
    """Return `plan` without the actions that `before` has too, for the same reason."""
    known = {_meaning(action) for action in before.actions}
    actions = tuple(action for action in plan.actions if _meaning(action) not in known)
    dumped = [action.model_dump(mode="json", exclude=FORESEEN) for action in actions]
    return plan.model_copy(update={"actions": actions, "digest": digest({"actions": dumped})})


def _meaning(action: Action) -> Hashable:
    point = str(sorted(action.point.items()))
    errors = tuple(finding for finding in action.findings if finding.level == "error")
    return (
        action.experiment,
        action.run_id,
        action.seed,
        point,
        action.action,
        action.reason,
        errors,
    )
