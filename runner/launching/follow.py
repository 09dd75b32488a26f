"""Commands that launch, and wait for what they launched where they are asked to."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from runner import screen
from runner.apply import Applied, apply
from runner.errors import EXIT_OUTSIDE, EXIT_REFUSED, EXIT_RUN_FAILED
from runner.forges import open_forge
from runner.forges.base import Forge
from runner.launchers import LAUNCHERS
from runner.launchers.base import Launcher
from runner.launching.moves import open_asked, sync_and_move
from runner.launching.places import is_ci
from runner.launching.submission import Launched
from runner.ledger.record import RunRecord
from runner.looking.progress import job_row, progress_rows
from runner.node.patience import patiently
from runner.planning.actions import NOTHING_FORCED, Forced, Plan
from runner.policy.ceilings import held_still
from runner.report.outcome import describe
from runner.report.progress import Progress
from runner.retry import retry
from runner.spec.experiment import Run
from runner.stopping.cancel import cancel, give_up
from runner.stopping.ending import taking_runs_along
from runner.storage.runfolder import AttemptFolder
from runner.sync import Synced
from runner.telling.announce import announce
from runner.workspace import Workspace

POLL_SECONDS = 2.0
"""Between looks at running jobs."""
SERVER_SECONDS = 10.0
"""Between looks at one that a server has to be asked about."""
FOLLOW_PATIENCE = 60.0
"""Seconds for which ledger or run store may be away before following is given up."""


class Done(NamedTuple):
    """What a launching command did, and how the runs ended if it waited for them."""

    plan: Plan | None
    launched: tuple[Launched, ...]
    ended: tuple[RunRecord, ...]
    superseded_by: str | None = None
    errors: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    """What was asked for by name and waits for an owner of the policy still, and why."""

    @property
    def exit_code(self) -> int:
        """Return 5 when a run failed, else 3 for a fault outside, else 1 for a refused spec."""
        outcomes = {record.latest.outcome for record in self.ended}
        missed = any(j.verdict != "pass" for r in self.ended for j in r.latest.judgements)
        if outcomes - {"succeeded", "lost"} or missed:
            return EXIT_RUN_FAILED
        if "lost" in outcomes or any(launched.error for launched in self.launched):
            return EXIT_OUTSIDE
        refused = self.held or (self.plan and self.plan.number_of("refuse"))
        return EXIT_REFUSED if refused else 0

    def document(self) -> dict[str, Any]:
        """Return the plan with what became of each launched action."""
        if self.plan is None:
            return {"superseded_by": self.superseded_by, "actions": []}
        launched = {item.run_id: item for item in self.launched}
        document = self.plan.document()
        for action in document["actions"]:
            item = launched.get(action["run_id"])
            if item is not None:
                action |= {"attempt": item.attempt, "job": item.job, "error": item.error}
        return document

    def show(self) -> None:
        """Print what happened, and the next command."""
        if self.superseded_by:
            screen.say(f"superseded by {self.superseded_by}: nothing done")
            return
        for error in self.errors:
            screen.print_error(error, "runner cancel   stops it")
        for held in self.held:
            screen.print_error(held, None)
        for item in self.launched:
            if item.error:
                screen.print_error(f"run {item.run_id}: {item.error}", "runner apply   tries again")
            elif item.later:
                screen.say(f"run {item.run_id}: {item.later}")
        for record in self.ended:
            where = f"{record.experiment} seed {record.seed} ({record.run_id})"
            print_ended = f"{where}: {describe(record.latest)}"
            screen.print_result(print_ended, record.latest.cure)
        if self.launched and not self.ended:
            screen.say("runner status --all, runner logs RUN --follow, runner sync --watch")


def apply_and_follow(
    workspace: Workspace,
    launcher: Launcher,
    *,
    wait: bool,
    forced: Forced = NOTHING_FORCED,
    expected: str | None = None,
    quiet: bool = False,
) -> Done:
    """Apply; with `wait` follow the runs, and apply again for those that waited for them.

    The first plan must have the digest `expected`, if one is given.

    A job in CI ends with its processes, so there local runs are always waited for.
    """
    wait = wait or (is_ci() and not launcher.is_remote)
    forge = open_forge(workspace)
    moved = open_asked(workspace, launcher, forced)
    first = apply(workspace, launcher, forge, forced, expected)
    first = first._replace(launched=(*moved, *first.launched))
    _announce(workspace, forge, first)
    if first.plan is not None and not quiet:
        with contextlib.redirect_stdout(sys.stderr):  # the result is what becomes of the runs
            screen.print_plan(first.plan)
    held = held_still(first.plan, forced) if first.plan else ()
    done = Done(first.plan, first.launched, (), first.superseded_by, first.errors, held)
    if not wait or first.plan is None:
        return done
    return _follow_all(workspace, launcher, forge, forced, first, done)


def _follow_all(
    workspace: Workspace,
    launcher: Launcher,
    forge: Forge,
    forced: Forced,
    first: Applied,
    done: Done,
) -> Done:
    """Follow round after round: what ends may be what others wait for."""
    current = first
    while True:
        followed = _active(workspace, launcher)
        ended = follow(workspace, launcher, forge, followed)
        done = done._replace(ended=(*done.ended, *ended))
        if not ended or current.plan is None or not current.plan.number_of("wait"):
            return done
        current = apply(workspace, launcher, forge, forced)
        _announce(workspace, forge, current)
        done = done._replace(launched=(*done.launched, *current.launched))
        if not current.launched:
            return done


def _announce(workspace: Workspace, forge: Forge, applied: Applied) -> None:
    """Tell of what was launched, and of what was not and why.

    An apply that was interrupted may not have come to tell of its runs, so all that were launched
    from this commit and go on are told of; what is told already costs no request.
    """
    plan = applied.plan
    if plan is not None:  # else nothing was done, and a new clone has not seen the ledger
        snapshot = workspace.ledger.snapshot()
        new = [action.experiment for action in plan.actions if action.action == "launch"]
        going = snapshot.records(snapshot.active()).values()
        mine = [record.experiment for record in going if record.latest.commit == plan.head]
        announce(workspace, forge, snapshot, dict.fromkeys((*new, *mine)), plan)


def _active(workspace: Workspace, launcher: Launcher) -> list[str]:
    """Return the active runs that this launcher can reach."""
    snapshot = workspace.ledger.snapshot()
    records = snapshot.records(snapshot.active()).values()
    here = (r for r in records if launcher.reach(r.latest.endpoint) == "here" and r.latest.job)
    return [record.run_id for record in here]


def follow(
    workspace: Workspace, launcher: Launcher, forge: Forge, run_ids: Sequence[str]
) -> tuple[RunRecord, ...]:
    """Sync and show progress until all `run_ids` have ended; every run has a limit of its own."""
    if not run_ids:
        return ()

    def look() -> Synced:
        return sync_and_move(workspace, launcher, forge, fetch=False)

    runs = taking_runs_along(workspace, launcher, forge, run_ids)
    with _going_on_when_interrupted(), runs, Progress() as progress:
        while True:
            synced = patiently(look, FOLLOW_PATIENCE)
            records = workspace.ledger.snapshot().records(run_ids)
            progress.update(progress_rows(workspace, records.values()))
            if not set(run_ids) & set(synced.active):
                return tuple(records.values())
            time.sleep(_pause(launcher))


@contextlib.contextmanager
def _going_on_when_interrupted() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if not is_ci():
            screen.say("the runs go on; runner sync --watch follows them, runner cancel stops one")
        raise


def _pause(launcher: Launcher) -> float:
    """Return the seconds between two looks."""
    return SERVER_SECONDS if launcher.is_remote else POLL_SECONDS


def follow_job(launcher: Launcher, job: str, part: AttemptFolder, title: str, run: Run) -> None:
    """Show the progress of a job outside the ledger's states (a repeat, a trial) to its end."""
    with Progress() as progress:
        while True:
            status = launcher.poll([job])[job]
            progress.update([job_row(part.newest(), title, run, status)])
            if status.state == "ended":
                return
            time.sleep(_pause(launcher))


def retry_and_follow(
    workspace: Workspace, launcher: Launcher, name: str, *, wait: bool, by_owner: bool
) -> Done:
    """Retry a run, and with `wait` follow it; in CI as `apply_and_follow`."""
    wait = wait or (is_ci() and not launcher.is_remote)
    retried = retry(workspace, launcher, name, by_owner=by_owner)
    done = Done(None, retried.launched, ())
    if wait and not any(item.error for item in retried.launched):
        ended = follow(workspace, launcher, open_forge(workspace), [retried.record.run_id])
        return done._replace(ended=ended)
    return done


def cancel_run(workspace: Workspace, name: str, *, lost: bool = False) -> RunRecord:
    """Stop a run and write it into the ledger; with `lost` only write it off."""
    if lost:
        return give_up(workspace, open_forge(workspace), name)
    record = workspace.ledger.fetch().find(name)
    launcher = LAUNCHERS[record.latest.launcher](workspace)
    return cancel(workspace, launcher, open_forge(workspace), record.run_id)


def sync_here(workspace: Workspace, *, watch: bool) -> Iterable[Synced]:
    """Sync at once, with `watch` again until nothing is active; return what each sync found.

    Asked is the registry's launcher, and every other one that an active run was launched with.
    """
    forge = open_forge(workspace)
    first = _sync_all(workspace, forge)
    later = _sync_on(workspace, forge, first) if watch else ()
    return itertools.chain((first,), later)


def _sync_on(workspace: Workspace, forge: Forge, synced: Synced) -> Iterator[Synced]:
    while synced.active:
        time.sleep(max(_pause(launcher) for launcher in _launchers(workspace)))
        synced = _sync_all(workspace, forge)
        yield synced


def _sync_all(workspace: Workspace, forge: Forge) -> Synced:
    workspace.ledger.fetch()
    found = [
        sync_and_move(workspace, launcher, forge, fetch=False) for launcher in _launchers(workspace)
    ]
    return Synced(
        changed=tuple(record for one in found for record in one.changed),
        active=found[-1].active,
        moved=tuple(run_id for one in found for run_id in one.moved),
        untold=tuple(dict.fromkeys(why for one in found for why in one.untold)),
    )


def _launchers(workspace: Workspace) -> list[Launcher]:
    snapshot = workspace.ledger.snapshot()
    records = snapshot.records(snapshot.active()).values()
    names = (workspace.registry.launcher, *(record.latest.launcher for record in records))
    return [LAUNCHERS[name](workspace) for name in dict.fromkeys(names) if name in LAUNCHERS]
