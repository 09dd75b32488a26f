"""The default branch has moved: open pull requests whose plan has changed with it are told anew.

Only the digest of a plan decides: what apply would do has to differ, not what it would cost.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import runner
from runner import screen
from runner.ci.credentials import lend_token_to_git
from runner.ci.presenting import Presentation, Request, show, tell_refusal
from runner.ci.request import about_request, fetch_head
from runner.ci.time_limit import TimeIsUp, time_limit
from runner.errors import EXIT_BUG, EXIT_OUTSIDE, Refused, RunnerError
from runner.forges import open_forge, toolkit
from runner.forges.base import Forge, PullRequest
from runner.ledger.snapshot import Snapshot
from runner.planning.merging import plan_merge
from runner.report.plan.comment import MARKER, carried_rewards
from runner.workspace import Workspace

SECONDS = 600.0
"""For all requests together."""
SECONDS_EACH = 120.0
_PACKAGE = Path(runner.__file__).parent
_DIGEST = re.compile(r" digest=([0-9a-f]{64}) head=([0-9a-f]{40}) ")


def plan_open_requests(workspace: Workspace) -> int:
    """Plan the open pull requests into the default branch again; return the worst exit code.

    A refused one is no failure of ours: its own comment says so. One that meets a bug, or takes too
    long, is said and passed over; so are those that time does not reach.
    """
    lend_token_to_git(workspace.repository)
    forge = open_forge(workspace)
    branch, base, _ = workspace.repository.tip()
    snapshot = workspace.ledger.fetch()
    pulls = [pull for pull in forge.open_pull_requests() if pull.base == branch]
    until, worst = time.monotonic() + SECONDS, 0
    for done, pull in enumerate(pulls):
        left = until - time.monotonic()
        if left <= 0:
            _tell_not_reached(pulls[done:])
            return max(worst, EXIT_OUTSIDE)
        plan = partial(_plan_again, workspace, forge, snapshot, pull, base)
        worst = max(worst, _attempt(pull, plan, min(left, SECONDS_EACH)))
    return worst


def _attempt(pull: PullRequest, plan: Callable[[], None], seconds: float) -> int:
    """Plan one request for at most `seconds`, whatever comes of it; return the exit code."""
    try:
        with time_limit(seconds):
            plan()
    except RunnerError as error:
        message, cure, code = error.message, error.cure, error.exit_code
    except TimeIsUp:
        message, code = f"not planned again: it took more than {seconds:.0f} s", EXIT_OUTSIDE
        cure = "runner ci replan   tries again"
    except Exception as error:
        # Without its text, in which a stranger's may be.
        message, code = f"a bug of the runner: {type(error).__name__} at {_place(error)}", EXIT_BUG
        cure = "please report it; the other requests were planned"
    else:
        return 0
    with toolkit.commands_stopped():
        screen.print_error(f"pull request {pull.number}: {message}", cure)
    return code


def _place(error: Exception) -> str:
    """Return the last line of our own code that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    last = own[-1]
    return f"{Path(last.filename).relative_to(_PACKAGE.parent)}:{last.lineno}"


def _tell_not_reached(pulls: list[PullRequest]) -> None:
    numbers = ", ".join(str(pull.number) for pull in pulls[:20])
    more = f" and {len(pulls) - 20} more" if len(pulls) > 20 else ""
    screen.print_error(
        f"stopped after {SECONDS:.0f} s: pull requests {numbers}{more} were not planned again",
        "runner ci replan   tries again",
    )


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
