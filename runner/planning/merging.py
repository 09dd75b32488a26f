"""What merging one commit into another would do: the plan of the merged files, less the base's own.

    base, head -> merged tree (git objects) -> plan -> without what the base plans anyway

Nothing is checked out or executed.
"""

from __future__ import annotations

from collections.abc import Hashable

from runner.git.commit_tree import CommitTree
from runner.ledger.snapshot import Snapshot
from runner.planning.actions import Action, Plan, digest_of
from runner.planning.moving import check_request
from runner.planning.planned import Planned, plan_tree
from runner.planning.settlement import Incomplete
from runner.root import FILE
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
    anyway = plan_tree(workspace, snapshot, before, head=base).plan
    also = anyway.settled.looked_at if anyway.settled else frozenset[str]()
    merged = plan_tree(workspace, snapshot, tree, head=head, base=base, also=also)
    try:
        plan = without(merged.plan, anyway)
    except Incomplete:
        assert merged.plan.settled is not None  # noqa: S101
        also = merged.plan.settled.looked_at
        again = plan_tree(workspace, snapshot, before, head=base, also=also)
        plan = without(merged.plan, again.plan)
    return merged._replace(plan=plan)


def without(plan: Plan, before: Plan) -> Plan:
    """Return `plan` without the actions that `before` has too, for the same reason.

    What `plan` has passed over, `before` has too: it goes with them. Raises Incomplete where the
    ledger lacks a note of what `before` has passed over.
    """
    known = {_meaning(action) for action in before.actions}
    actions = tuple(
        action
        for action in plan.actions
        if _meaning(action) not in known and not _is_settled(action, before)
    )
    return plan._replace(actions=actions, settled=None, digest=digest_of(actions))


def _is_settled(action: Action, plan: Plan) -> bool:
    """Whether `action` keeps a run that `plan` has passed over."""
    if plan.settled is None or action.action != "keep":
        return False
    return any(run.run_id == action.run_id for run in plan.settled.runs_of(action.experiment))


def _meaning(action: Action) -> Hashable:
    if action.action == "keep":
        return action.experiment, action.run_id, "keep"
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
