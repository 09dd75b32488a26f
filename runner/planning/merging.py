"""What merging one commit into another would do: the plan of the merged files, less the base's own.

    base, head -> merged tree (git objects) -> plan -> without what the base plans anyway

Nothing is checked out or executed.
"""

from __future__ import annotations

from collections.abc import Hashable

from runner.git.repository import CommitTree
from runner.ledger.snapshot import Snapshot
from runner.planning.actions import Action, Plan, digest_of
from runner.planning.moving import check_request
from runner.planning.planned import Planned, plan_tree
from runner.registry import FILE
from runner.spec.check import load_registry
from runner.workspace import Workspace


def plan_merge(workspace: Workspace, snapshot: Snapshot, base: str, head: str) -> Planned:
    """Plan what merging `head` into `base` changes; both are commits.

    Raises Refused where the two conflict or `head` names another ledger, InvalidSpec where the
    merged registry.yaml is invalid.
    """
    repository = workspace.repository
    tree = CommitTree(repository, repository.merged_tree(base, head))
    before = CommitTree(repository, base)
    if before.read(FILE) is None:
        return plan_tree(workspace, snapshot, tree, head=head, base=base)
    check_request(load_registry(before), load_registry(tree))
    merged = plan_tree(workspace, snapshot, tree, head=head, base=base)
    anyway = plan_tree(workspace, snapshot, before, head=base)
    return merged._replace(plan=without(merged.plan, anyway.plan))


def without(plan: Plan, before: Plan) -> Plan:
    """Return `plan` without the actions that `before` has too, for the same reason."""
    known = {_meaning(action) for action in before.actions}
    known |= {_kept(one.experiment, one.run.run_id) for one in before.settled}
    actions = tuple(action for action in plan.actions if _meaning(action) not in known)
    settled = tuple(o for o in plan.settled if _kept(o.experiment, o.run.run_id) not in known)
    update = {"actions": actions, "settled": settled, "digest": digest_of(actions)}
    return plan.model_copy(update=update)


def _kept(experiment: str, run_id: str | None) -> Hashable:
    return experiment, run_id, "keep"


def _meaning(action: Action) -> Hashable:
    if action.action == "keep":
        return _kept(action.experiment, action.run_id)
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
