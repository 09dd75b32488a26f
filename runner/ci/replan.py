"""The default branch has moved: open pull requests whose plan has changed with it are told anew.

Only the digest of a plan decides: what apply would do has to differ, not what it would cost.
"""

from __future__ import annotations

import re

from runner import screen
from runner.ci.credentials import lend_token_to_git
from runner.ci.presenting import Presentation, Request, show, tell_refusal
from runner.ci.request import about_request, fetch_head
from runner.errors import Refused, RunnerError
from runner.forges import open_forge
from runner.forges.base import Forge, PullRequest
from runner.ledger.snapshot import Snapshot
from runner.merging import plan_merge
from runner.report.plan.comment import MARKER, carried_rewards
from runner.workspace import Workspace

_DIGEST = re.compile(r" digest=([0-9a-f]{64}) head=([0-9a-f]{40}) ")


def plan_open_requests(workspace: Workspace) -> int:
    """Plan the open pull requests into the default branch again; return the worst exit code.

    A refused one is no failure of ours: its own comment says so.
    """
    lend_token_to_git(workspace.repository)
    forge = open_forge(workspace)
    branch, base, _ = workspace.repository.tip()
    snapshot = workspace.ledger.fetch()
    worst = 0
    for pull in forge.open_pull_requests():
        if pull.base != branch:
            continue
        try:
            _plan_again(workspace, forge, snapshot, pull, base)
        except RunnerError as error:  # one request must not hide the others
            screen.print_error(f"pull request {pull.number}: {error.message}", error.cure)
            worst = max(worst, error.exit_code)
    return worst


def _plan_again(
    workspace: Workspace, forge: Forge, snapshot: Snapshot, pull: PullRequest, base: str
) -> None:
    remote = workspace.repository.remote("origin")
    if remote is None or not fetch_head(remote, pull.number, pull.head):
        return
    request = Request(pull.number, pull.head, base, pull.from_fork)
    told = forge.own_comment(pull.number, MARKER) or ""
    prefix = workspace.registry.status_prefix
    try:
        merged = plan_merge(workspace, snapshot, base, pull.head)
    except Refused as refusal:
        tell_refusal(forge, refusal, request, prefix)
        return
    match = _DIGEST.search(told.partition("\n")[0])
    if match and match.groups() == (merged.plan.digest, pull.head):
        screen.say(f"pull request {pull.number}: its plan is the same")
        return
    # What was found of the rewards of this very head still holds.
    same_head = match is not None and match[2] == pull.head
    about = about_request(forge, request, merged, ())
    if same_head:
        about = about._replace(carried=carried_rewards(told))
    show(forge, merged.plan, Presentation(about, prefix))
    screen.say(f"pull request {pull.number}: planned again")
