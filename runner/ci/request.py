"""A pull request, or a commit of the merge queue: planned, and told where people look.

    event -> head and base -> plan of the merge -> presenting.py

What is planned is the merge of the head into the newest commit of the default branch.
"""

from __future__ import annotations

from pathlib import Path

from runner import screen
from runner.ci import event
from runner.ci.credentials import lend_token_to_git
from runner.ci.presenting import Presentation, Request, run_address, show, tell, tell_refusal
from runner.errors import EXIT_REFUSED, OutsideError, Refused
from runner.forges import open_forge, toolkit
from runner.forges.base import Forge
from runner.git.remote import Remote
from runner.planning.merging import plan_merge
from runner.planning.planned import Planned
from runner.report.plan.about import About, about_plan
from runner.report.plan.reward import RewardTable
from runner.workspace import Workspace


def plan_event(workspace: Workspace, artifact: Path | None) -> int:
    """Plan what the event asks about; return 1 when something of it is refused.

    Raises OutsideError when git, the ledger or the forge do not answer.
    """
    lend_token_to_git(workspace.repository)
    request = _of_event(workspace)
    if request is None:
        return 0
    forge = open_forge(workspace)
    prefix = workspace.registry.status_prefix
    try:
        merged = plan_merge(workspace, workspace.ledger.fetch(), request.base, request.head)
    except Refused as refusal:
        tell_refusal(forge, refusal, request, prefix)
        with toolkit.commands_stopped():
            screen.print_error(refusal.message, refusal.cure)
        return EXIT_REFUSED
    checked = bool(artifact and not request.from_fork and _bundle(merged, artifact))
    about = about_request(forge, request, merged, None if checked else ())
    tell(forge, merged.plan, Presentation(about, prefix, artifact), checks_rewards=checked)
    with toolkit.commands_stopped():
        screen.print_plan(merged.plan)
    return EXIT_REFUSED if merged.plan.number_of("refuse") else 0


def report_rewards(workspace: Workspace, result: Path) -> int:
    """Put what the reward check has found, data of unknown origin, into the plan's comment."""
    from runner.reward_check.result import read_result

    lend_token_to_git(workspace.repository)
    request = _of_event(workspace)
    if request is None:
        return 0
    forge = open_forge(workspace)
    merged = plan_merge(workspace, workspace.ledger.fetch(), request.base, request.head)
    about = about_request(forge, request, merged, read_result(result))
    show(forge, merged.plan, Presentation(about, workspace.registry.status_prefix))
    return 0


def about_request(
    forge: Forge,
    request: Request,
    planned: Planned,
    rewards: tuple[RewardTable, ...] | None,
) -> About:
    """Return what the plan's text needs beside the plan."""
    return about_plan(planned)._replace(
        number=request.number,
        base=request.base,
        link=lambda path, line: forge.link(request.head, path, line),
        complete=run_address(),
        rewards=rewards,
    )


def _bundle(merged: Planned, folder: Path) -> bool:
    """Put the rewards that new runs would call into `folder`, with what checks them."""
    from runner.reward_check.bundle import bundle

    new = [run for run in merged.runs if run.action.action in ("launch", "hold", "wait")]
    planned = {action.experiment for action in merged.plan.actions}
    specs = [run.resolved.run.spec for run in new if run.action.experiment in planned]
    return bool(bundle(merged.tree, specs, folder / "reward-check"))


def _of_event(workspace: Workspace) -> Request | None:
    """Return what the event asks about, fetched; None when there is nothing to plan any more."""
    remote = workspace.repository.remote("origin")
    if remote is None:
        raise OutsideError("there is no remote `origin` to fetch the request from")
    if event.name() == "merge_group":
        group = event.read(event.QueueEvent).merge_group
        for commit in (group.base_sha, group.head_sha):
            remote.fetch(commit, commit)
        return Request(None, group.head_sha, group.base_sha)
    found = event.read(event.RequestEvent)
    pull = found.pull_request
    tip = workspace.repository.tip()
    if pull.base.ref != tip.branch:
        screen.say(f"merging into {pull.base.ref!a} launches nothing: only {tip.branch} is applied")
        return None
    if not fetch_head(remote, pull.number, pull.head.sha):
        return None
    return Request(pull.number, pull.head.sha, tip.commit, found.from_fork)


def fetch_head(remote: Remote, number: int, head: str) -> bool:
    """Fetch the head of a pull request; False when it has moved: that is another event."""
    reference = f"refs/pull/{number}/head"
    newest = remote.reference(reference)
    if newest != head:
        screen.say(f"superseded by {newest or 'nothing'}: {head[:12]} is not planned")
        return False
    remote.fetch(reference, head)
    return True
