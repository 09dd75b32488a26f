"""Reconciling the default branch's tip with the ledger.

    tip -> plan -> claim (ledger) -> submit (launcher) -> job ids (ledger)

The claim is pushed before anything is submitted, and the job id after: whoever is interrupted in
between leaves a claim that the same endpoint takes up again, under the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.errors import Refused, RunnerError
from runner.forges.base import Forge
from runner.launchers.base import Launcher
from runner.launching.claims import put_claim
from runner.launching.places import check_places
from runner.launching.submission import Launched, submit_claimed
from runner.launching.tasks import check_train_python
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft, told_of
from runner.ledger.entry import ExperimentEntry
from runner.ledger.outbox import put_outbox, read_outbox
from runner.plan import make_plan
from runner.planning.actions import NOTHING_FORCED, Forced, Launchable, Plan, by_experiment
from runner.planning.footprint import TracedTree
from runner.planning.moving import check_moved
from runner.planning.settling import put_settled, put_settled_of
from runner.planning.tip import Older, check_not_older, require_tip
from runner.policy.trust import trusted
from runner.report.publish import experiment_pages
from runner.spec.check import load_registry
from runner.stopping.cancel import cancel
from runner.workspace import Workspace


class Applied(NamedTuple):
    """What an apply did."""

    plan: Plan | None
    launched: tuple[Launched, ...]
    superseded_by: str | None = None
    """The tip, when the checked-out commit is an older one: nothing was done."""
    errors: tuple[str, ...] = ()
    """Runs of former versions that should have been cancelled and could not be."""


def apply(
    workspace: Workspace,
    launcher: Launcher,
    forge: Forge,
    forced: Forced = NOTHING_FORCED,
    expected: str | None = None,
) -> Applied:
    """Launch what the default branch's tip asks for and the ledger does not know.

    Raises Refused when the tree is dirty, holds commits that are not on the default branch, lacks
    an experiment that is asked for, or gives another plan than the one whose digest is `expected`;
    OutsideError when the remote does not answer.
    """
    tip = require_tip(workspace)
    if tip.superseded_by:
        return Applied(None, (), tip.superseded_by)
    try:
        plan, runs = claim(workspace, launcher, tip.commit, forced, expected)
    except Older:
        tip = require_tip(workspace)  # somebody else may have merged and applied meanwhile
        if not tip.superseded_by:
            raise
        return Applied(None, (), tip.superseded_by)
    launched = submit_claimed(workspace, launcher)
    errors = _cancel_superseded(workspace, launcher, forge, plan, runs)
    return Applied(plan, launched, errors=errors)


def _cancel_superseded(
    workspace: Workspace,
    launcher: Launcher,
    forge: Forge,
    plan: Plan,
    runs: Sequence[Launchable],
) -> tuple[str, ...]:
    """Stop what an edit has made obsolete; return what could not be stopped, in words."""
    errors = []
    for run_id in superseded(plan, runs):
        try:
            cancel(workspace, launcher, forge, run_id)
        except RunnerError as error:
            errors.append(f"run {run_id} of a former version goes on: {error.message}")
    return tuple(errors)


def superseded(plan: Plan, runs: Sequence[Launchable]) -> tuple[str, ...]:
    """Return the runs going on whose edited spec says `when_edited: cancel_running`."""
    policies = {run.action.experiment: run.resolved.run.spec.when_edited for run in runs}
    orphans = (action for action in plan.actions if action.action == "orphan")
    ids = (a.run_id for a in orphans if policies.get(a.experiment) == "cancel_running")
    return tuple(run_id for run_id in ids if run_id)


def claim(
    workspace: Workspace,
    launcher: Launcher,
    commit: str,
    forced: Forced = NOTHING_FORCED,
    expected: str | None = None,
) -> tuple[Plan, tuple[Launchable, ...]]:
    """Plan `commit`, and record the intent to launch and what was reconciled, in one commit.

    Planned on the very ledger that the claims are put on: when somebody else was faster, again, so
    that two at once cannot both take what is left below a ceiling.
    """
    tree = TracedTree(workspace.repository, commit)
    tip = load_registry(tree)
    planned: list[tuple[Plan, tuple[Launchable, ...]]] = []

    def step(snapshot: Snapshot) -> Changes:
        check_not_older(workspace, snapshot, commit)
        check_moved(workspace.repository, tip, snapshot, commit)
        registry, notes = trusted(workspace.repository, tip, snapshot, commit)
        plan, runs = make_plan(tree, snapshot, registry, head=commit, forced=forced, notes=notes)
        if expected is not None and plan.digest != expected:
            raise Refused(
                f"the plan is another one now: its digest is {plan.digest[:12]}, not "
                f"{expected[:12]}; specs, inputs or the ledger have changed since",
                cure="runner plan   shows it",
            )
        planned[:] = [(plan, runs)]
        draft = Draft(snapshot)
        launched = [run for run in runs if run.action.action == "launch"]
        snapshot.records(run.resolved.run_id for run in launched)  # read by one process
        if launched:
            snapshot.records(snapshot.active())  # nothing is claimed beside what cannot be read
            check_places(workspace, launcher)
        for run in launched:
            if not launcher.is_remote:
                check_train_python(workspace, run.resolved.run.spec)  # before anything is claimed
            put_claim(draft, launcher, run, commit)
        busy = {run.action.experiment for run in launched}  # sync writes their pages
        changed = [name for name in _put_entries(draft, runs, commit) if name not in busy]
        put_outbox(draft, read_outbox(snapshot).with_pages(changed))
        if forced.names:
            put_settled_of(draft, forced.names, runs, tree, registry)
        else:
            put_settled(draft, plan, runs, tree, registry)
            draft.set_applied(commit)
        ids = told_of(run.resolved.run_id for run in launched)
        return draft.changes(f"Claim {ids}" if ids else f"Apply {commit[:12]}")

    if read_outbox(workspace.ledger.transact(step)).pages:
        _publish(workspace)
    return planned[0]


def _publish(workspace: Workspace) -> None:
    """Write the pages of experiments that stand for other runs, or expect something else, now.

    Which these are is on the ledger since the claim: an apply that is interrupted leaves them to
    the next one.
    """

    def step(snapshot: Snapshot) -> Changes:
        draft, names = Draft(snapshot), read_outbox(snapshot).pages
        for path, content in experiment_pages(workspace, snapshot).items():
            draft.put(path, content)
        return draft.changes(f"Pages of {', '.join(names)}")

    workspace.ledger.transact(step)


def _put_entries(draft: Draft, runs: Sequence[Launchable], commit: str) -> list[str]:
    """Note what each experiment stands for, and return the names of those where that has changed.

    An experiment counts as reconciled when nothing of it is open.
    While a run of an edited file is held or waits, the former digest stays, so that the file still
    counts as edited when the hold is lifted.
    """
    changed: list[str] = []
    for name, of_name in by_experiment(runs).items():
        former = draft.snapshot.experiment(name)
        is_open = any(run.action.action in ("hold", "wait") for run in of_name)
        known = tuple(r.resolved.run_id for r in of_name if draft.record(r.resolved.run_id))
        own = (former.own_digest if former else "") if is_open else of_name[0].own_digest
        expect = of_name[0].resolved.run.spec.expect
        unchanged = former and (former.own_digest, former.runs, former.expect) == (
            own,
            known,
            expect,
        )
        if known and not unchanged:
            draft.put_experiment(
                ExperimentEntry(name=name, own_digest=own, runs=known, commit=commit, expect=expect)
            )
            changed.append(name)
    return changed
