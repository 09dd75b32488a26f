"""What happens on the default branch: apply, sync, and what people ask for by name."""

from __future__ import annotations

import os
from typing import NamedTuple

from runner import screen
from runner.ci.credentials import lend_token_to_git
from runner.ci.event import DispatchEvent, Verb, name, read
from runner.errors import EXIT_OUTSIDE, Refused
from runner.forges.toolkit import commands_stopped
from runner.launchers import LAUNCHERS
from runner.launchers.base import Launcher
from runner.launching.follow import Done, apply_and_follow, cancel_run, retry_and_follow, sync_here
from runner.planning.actions import NOTHING_FORCED, Forced
from runner.planning.tip import require_tip
from runner.policy.ceilings import is_owner
from runner.report.outcome import describe
from runner.spec.experiment import NAME
from runner.workspace import Workspace


class Result(NamedTuple):
    """What came of something that was asked for, in lines for people."""

    lines: tuple[str, ...]
    exit_code: int


@commands_stopped()
def apply_event(workspace: Workspace) -> int:
    """Apply the default branch's tip; started by hand, do what its inputs ask for."""
    lend_token_to_git(workspace.repository)
    if name() != "workflow_dispatch":
        return _shown(_apply(workspace))
    event = read(DispatchEvent)
    asked = event.inputs
    if asked is None or asked.verb == "apply":
        return _shown(_apply(workspace))
    if not NAME.fullmatch(asked.name):
        raise Refused(f"`{asked.verb}` needs the name of an experiment or run")
    result = perform(workspace, asked.verb, asked.name, event.sender.login)
    for line in result.lines:
        screen.print_result(line)
    return result.exit_code


@commands_stopped()
def sync_event(workspace: Workspace) -> int:
    """Follow the runs, and apply for what waits: an ended run may be what others wait for."""
    lend_token_to_git(workspace.repository)
    untold: tuple[str, ...] = ()
    for synced in sync_here(workspace, watch=False):
        untold = synced.untold
        for record in synced.changed:
            screen.print_result(f"{record.run_id} {record.experiment}: {describe(record.latest)}")
    return _shown(_apply(workspace)) or (EXIT_OUTSIDE if untold else 0)


def perform(workspace: Workspace, verb: Verb, what: str, login: str) -> Result:
    """Do what somebody with write access asks for; `login` decides whether ceilings are lifted.

    A workflow that is run again lifts none: GitHub keeps the login of who asked first, and lets
    others start it. Raises as the commands of the same names do.
    """
    screen.say(f"{login} asks: {verb} {what}")
    if verb == "cancel":
        record = cancel_run(workspace, what)
        ended = f"{record.run_id} {record.experiment}: {describe(record.latest)}"
        return Result((ended,), 0)
    by_owner = is_owner(workspace, login)
    if by_owner and is_run_again():
        screen.say(f"this job is run again: no ceiling is lifted before {login} asks anew")
        by_owner = False
    if verb == "retry":
        tip = require_tip(workspace)
        if tip.superseded_by:
            return Result((f"superseded by {tip.superseded_by[:12]}: nothing done; ask again",), 0)
        done = retry_and_follow(
            workspace, _launcher(workspace), what, wait=False, by_owner=by_owner
        )
        return _told(done)
    names = frozenset({what})
    forced = Forced(launch=names) if verb == "launch" else Forced(rerun=names)
    return _told(_apply(workspace, forced._replace(by_owner=by_owner)))


def is_run_again() -> bool:
    """Whether somebody had GitHub repeat this job, with the event that started it first."""
    return os.environ.get("GITHUB_RUN_ATTEMPT", "1") != "1"


def _apply(workspace: Workspace, forced: Forced = NOTHING_FORCED) -> Done:
    return apply_and_follow(workspace, _launcher(workspace), wait=False, forced=forced)


def _launcher(workspace: Workspace) -> Launcher:
    launcher: Launcher = LAUNCHERS[workspace.registry.launcher](workspace)
    return launcher


def _shown(done: Done) -> int:
    done.show()
    return done.exit_code


def _told(done: Done) -> Result:
    """Return what was launched, what is held still and why, and how awaited runs ended."""
    lines = [f"{one.run_id}: " + (one.error or one.later or "launched") for one in done.launched]
    if done.superseded_by:
        lines.append(f"superseded by {done.superseded_by[:12]}: nothing done")
    for action in done.plan.actions if done.plan else ():
        if action.action not in ("launch", "keep"):
            lines.append(f"{action.experiment}: {action.action}, {action.reason}")
    lines += [f"{r.run_id} {r.experiment}: {describe(r.latest)}" for r in done.ended]
    return Result(tuple(lines or ("Nothing to do.",)), done.exit_code)
