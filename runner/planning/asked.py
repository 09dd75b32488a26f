"""The plan as a person asks for it: of the work tree or a commit, against the newest ledger."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner import screen
from runner.errors import OutsideError, Refused
from runner.git.commit_tree import CommitTree
from runner.ledger.branch import Snapshot
from runner.planning.reading import begin_to_read
from runner.planning.trees import ChangedTree
from runner.root import FILE
from runner.spec.experiment import NAME
from runner.spec.load import is_base, path_of
from runner.spec.tree import Tree
from runner.workspace import Workspace

if TYPE_CHECKING:
    from runner.planning.planned import Planned


def plan_here(
    workspace: Workspace, head: str | None, only: Sequence[str] = (), base: str | None = None
) -> Planned:
    """Plan the work tree, the commit `head`, or what merging it into `base` changes.

    Raises Refused when `only` names an experiment that is not there, or the two conflict.
    """
    repository = workspace.repository
    commit = repository.resolve(head or "HEAD")
    snapshot = newest_snapshot(workspace)
    if base is not None:
        from runner.planning.merging import plan_merge

        planned = plan_merge(workspace, snapshot, repository.resolve(base), commit)
        return _only(planned, only)
    uncommitted = head is None and repository.is_dirty()
    tree = _tree(workspace, commit, head=head, uncommitted=uncommitted)
    begin_to_read(tree, snapshot)
    # Git reads while the rules are loaded.
    from runner.planning.planned import plan_tree

    of_commit = None if uncommitted else commit
    planned = plan_tree(
        workspace, snapshot, tree, head=commit, commit=of_commit, uncommitted=uncommitted
    )
    return _only(planned, only)


def _tree(workspace: Workspace, commit: str, *, head: str | None, uncommitted: bool) -> Tree:
    """Return what is planned: the commit, unless the work tree holds something that it does not.

    A clean work tree is read as its commit, as apply does: files that git ignores, such as a log in
    a folder that a script names, are no part of what a run is.
    """
    committed = CommitTree(workspace.repository, commit)
    is_registry = committed.read(FILE) is not None
    if head or (is_registry and not uncommitted):
        return committed
    return ChangedTree(workspace.root, committed, workspace.repository.uncommitted())


def newest_snapshot(workspace: Workspace) -> Snapshot:
    """Return the ledger as its remote has it, or as last seen when the remote does not answer."""
    try:
        return workspace.ledger.fetch()
    except OutsideError as error:
        screen.say(f"the ledger's remote does not answer ({error.message}); using the last known")
        return workspace.ledger.snapshot()


def _only(planned: Planned, only: Sequence[str]) -> Planned:
    names = {posixpath.normpath(name) for name in only}
    names = {name.removeprefix("experiments/").removesuffix(".yaml") for name in names}
    for name in names:
        if is_base(name):
            raise Refused(f"`{name}` is abstract", cure="name an experiment that extends it")
        if not NAME.fullmatch(name) or planned.tree.read(path_of(name)) is None:
            raise Refused(
                f"there is no experiment `{name}`",
                cure="the specs are the files below experiments/",
            )
    if not names:
        return planned
    plan = planned.plan.whole()
    kept = tuple(action for action in plan.actions if action.experiment in names)
    return planned._replace(plan=plan._replace(actions=kept))
