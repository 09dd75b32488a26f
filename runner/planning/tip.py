"""Only the tip of the default branch is applied: never the difference of a push.

Jobs of CI that are lost, repeated, run again or reordered then change nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.errors import Refused
from runner.ledger.branch import Snapshot
from runner.workspace import Workspace


class Older(Refused):
    """A newer commit was applied already."""


class Checkout(NamedTuple):
    """The commit that apply works on."""

    commit: str
    superseded_by: str | None = None


def require_tip(workspace: Workspace) -> Checkout:
    """Return the checked-out commit if it is the tip of the default branch, else what it is not."""
    repository = workspace.repository
    dirt = repository.dirt()
    if dirt:
        more = f" and {len(dirt) - 1} more" if len(dirt) > 1 else ""
        raise Refused(
            f"the work tree holds changes that no commit does: {dirt[0]}{more}",
            cure="commit and merge them; to try them now: runner try SPEC",
        )
    head = repository.head()
    tip = repository.tip()
    if head == tip.commit:
        return Checkout(head)
    if repository.is_ancestor(head, tip.commit):
        return Checkout(head, superseded_by=tip.commit)
    if repository.is_shallow():
        raise Refused(
            f"this clone is too shallow to tell whether {head[:12]} is on the default branch",
            cure="git fetch --unshallow   (in CI: fetch-depth: 0)",
        )
    where = f"{tip.remote}/{tip.branch}" if tip.remote else tip.branch
    raise Refused(
        f"{head[:12]} is not on {where}: only what is merged is launched",
        cure=f"git push {tip.remote or ''} HEAD:{tip.branch}   or merge a pull request",
    )


def check_not_older(workspace: Workspace, snapshot: Snapshot, commit: str) -> None:
    """Refuse a commit that may be an ancestor of the one that was applied last; Older if it is."""
    applied = snapshot.applied()
    if applied is None or applied == commit:
        return
    if not workspace.repository.obtain(applied):
        raise Refused(
            f"{applied[:12]}, which was applied last, is neither here nor at the remote: it cannot "
            f"be told whether {commit[:12]} is older",
            cure=f"git push origin {applied}:refs/heads/applied   from a clone that has it",
        )
    if workspace.repository.is_ancestor(commit, applied):
        raise Older(
            f"{commit[:12]} is older than {applied[:12]}, which was applied already",
            cure="the default branch was set back; commit on top of what was applied",
        )
