"""The plan as a person asks for it: of the work tree or a commit, against the newest ledger."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from runner import screen
from runner.errors import OutsideError, Refused
from runner.ledger.branch import Snapshot
from runner.plan import Plan, make_plan
from runner.repository import CommitTree
from runner.spec.check import load_registry
from runner.spec.experiment import NAME
from runner.spec.load import is_base, path_of
from runner.spec.tree import Tree, WorkTree
from runner.workspace import Workspace


def plan_here(workspace: Workspace, head: str | None, only: Sequence[str] = ()) -> Plan:
    """Plan the work tree, or the commit `head`.

    Raises Refused when `only` names an experiment that is not there.
    """
    repository = workspace.repository
    commit = repository.resolve(head or "HEAD")
    tree: Tree = CommitTree(repository, commit) if head else WorkTree(workspace.root)
    plan, _ = make_plan(
        tree,
        newest_snapshot(workspace),
        load_registry(tree),
        head=commit,
        uncommitted=head is None and repository.is_dirty(),
    )
    return _only(plan, tree, only) if only else plan


def newest_snapshot(workspace: Workspace) -> Snapshot:
    """Return the ledger as its remote has it, or as last seen when the remote does not answer."""
    try:
        return workspace.ledger.fetch()
    except OutsideError as error:
        screen.say(f"the ledger's remote does not answer ({error.message}); using the last known")
        return workspace.ledger.snapshot()


def _only(plan: Plan, tree: Tree, only: Sequence[str]) -> Plan:
    names = {posixpath.normpath(name) for name in only}
    names = {name.removeprefix("experiments/").removesuffix(".yaml") for name in names}
    for name in names:
        if is_base(name):
            raise Refused(f"`{name}` is abstract", cure="name an experiment that extends it")
        if not NAME.fullmatch(name) or tree.read(path_of(name)) is None:
            raise Refused(f"there is no experiment `{name}`", cure="runner plan   lists all")
    kept = tuple(action for action in plan.actions if action.experiment in names)
    return plan.model_copy(update={"actions": kept})
