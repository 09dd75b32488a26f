"""Reconciling the default branch's tip with the ledger.

    tip -> plan -> claim (ledger) -> submit (launcher) -> job ids (ledger)

The claim is pushed before anything is submitted, and the job id after: whoever is interrupted in
between leaves a claim that the same endpoint takes up again, under the same name.
"""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Collection, Sequence
from typing import NamedTuple

from runner.cancel import cancel
from runner.errors import Refused, RunnerError
from runner.files import exclusive
from runner.forges.base import Forge
from runner.git.repository import CommitTree
from runner.launchers.base import Launcher
from runner.ledger.branch import Changes, Draft, ExperimentEntry, Snapshot
from runner.ledger.documents import run_documents
from runner.ledger.record import Attempt, RunRecord, advance, now
from runner.node.checkpoints import newest_complete
from runner.plan import NOTHING_FORCED, Forced, Launchable, Plan, make_plan
from runner.runfolder import open_run_store
from runner.spec.check import load_experiments, load_registry
from runner.spec.resolve import ResolvedRun, Resolver
from runner.sync import is_here
from runner.tasks import job_name, node_task, recorded_launch
from runner.tip import check_not_older, require_tip
from runner.trainers.base import planned_steps
from runner.workspace import Workspace

SUBMIT_SECONDS = 600.0
"""How long to wait for another runner of this clone that is submitting."""


class Launched(NamedTuple):
    """What became of one run that apply wanted to launch."""

    run_id: str
    attempt: int
    job: str | None
    error: str | None
    """Why it could not be submitted; the claim stays, and the next apply takes it up."""


class Applied(NamedTuple):
    """What an apply did."""

    plan: Plan | None
    launched: tuple[Launched, ...]
    superseded_by: str | None = None
    """The tip, when the checked-out commit is an older one: nothing was done."""


def apply(
    workspace: Workspace, launcher: Launcher, forge: Forge, forced: Forced = NOTHING_FORCED
) -> Applied:
    """Launch what the default branch's tip asks for and the ledger does not know.

    Raises Refused when the tree is dirty, holds commits that are not on the default branch, or
    lacks an experiment that is asked for; OutsideError when the remote does not answer.
    """
    tip = require_tip(workspace)
    if tip.superseded_by:
        return Applied(None, (), tip.superseded_by)
    snapshot = workspace.ledger.fetch()
    check_not_older(workspace, snapshot, tip.commit)
    tree = CommitTree(workspace.repository, tip.commit)
    registry = load_registry(tree)
    plan, runs = make_plan(tree, snapshot, registry, head=tip.commit, forced=forced)
    if forced.names:
        _check_known(plan, forced.names)
        plan, runs = only(plan, runs, forced.names)
    snapshot = claim(workspace, launcher, runs, tip.commit, partial=bool(forced.names))
    for run_id in superseded(plan, runs):
        cancel(workspace, launcher, forge, run_id)
    return Applied(plan, submit_claimed(workspace, launcher, snapshot))


def superseded(plan: Plan, runs: Sequence[Launchable]) -> tuple[str, ...]:
    """Return the runs going on whose edited spec says `when_edited: cancel_running`."""
    policies = {run.action.experiment: run.resolved.run.spec.when_edited for run in runs}
    orphans = (action for action in plan.actions if action.action == "orphan")
    ids = (a.run_id for a in orphans if policies.get(a.experiment) == "cancel_running")
    return tuple(run_id for run_id in ids if run_id)


def only(
    plan: Plan, runs: Sequence[Launchable], names: Collection[str]
) -> tuple[Plan, tuple[Launchable, ...]]:
    """Return the part of a plan that is about the experiments `names`."""
    actions = tuple(action for action in plan.actions if action.experiment in names)
    chosen = tuple(run for run in runs if run.action.experiment in names)
    return plan.model_copy(update={"actions": actions}), chosen


def _check_known(plan: Plan, names: Collection[str]) -> None:
    known = {action.experiment for action in plan.actions}
    for name in sorted(set(names) - known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Refused(f"there is no experiment {name!r}{hint}", cure="runner plan   lists all")


def claim(
    workspace: Workspace,
    launcher: Launcher,
    runs: Sequence[Launchable],
    commit: str,
    *,
    partial: bool = False,
) -> Snapshot:
    """Record the intent to launch, and what was reconciled, in one commit of the ledger.

    `partial` says that `runs` are not everything at `commit`, which then does not count as applied.
    """
    nonces = {run.resolved.run_id: secrets.token_hex(16) for run in runs}

    def step(snapshot: Snapshot) -> Changes:
        draft = Draft(snapshot)
        claimed = []
        for run in runs:
            new = run.action.action == "launch" and draft.record(run.resolved.run_id) is None
            if new:
                _put_claim(draft, launcher, run.resolved, commit, nonces[run.resolved.run_id])
                claimed.append(run.resolved.run_id)
        _put_entries(draft, runs, commit)
        if not partial:
            draft.set_applied(commit)
        return draft.changes(f"Claim {', '.join(claimed)}" if claimed else f"Apply {commit[:12]}")

    return workspace.ledger.transact(step)


def _put_claim(
    draft: Draft, launcher: Launcher, resolved: ResolvedRun, commit: str, nonce: str
) -> None:
    run = resolved.run
    attempt = first_attempt(launcher, commit, nonce, steps=planned_steps(run, None))
    draft.put_record(
        RunRecord(
            run_id=resolved.run_id,
            identity=resolved.identity.digest,
            experiment=run.experiment,
            seed=run.seed,
            point=run.point,
            trainer=run.spec.trainer,
            attempts=(attempt,),
        )
    )
    for path, content in run_documents(
        resolved.run_id, run.spec, resolved.identity.payload
    ).items():
        draft.put(path, content)


def first_attempt(
    launcher: Launcher, commit: str, nonce: str, *, number: int = 1, steps: int | None
) -> Attempt:
    """Return a claim: the intent to launch, before anything is submitted."""
    return Attempt(
        number=number,
        state="claimed",
        nonce=nonce,
        commit=commit,
        launcher=launcher.name,
        endpoint=launcher.endpoint(),
        claimed_at=now(),
        steps=steps,
    )


def _put_entries(draft: Draft, runs: Sequence[Launchable], commit: str) -> None:
    """Note what each experiment stands for; it counts as reconciled when nothing of it is open.

    While a run of an edited file is held or waits, the former digest stays, so that the file still
    counts as edited when the hold is lifted.
    """
    for name in dict.fromkeys(run.resolved.run.experiment for run in runs):
        of_name = [run for run in runs if run.resolved.run.experiment == name]
        former = draft.snapshot.experiment(name)
        is_open = any(run.action.action in ("hold", "wait") for run in of_name)
        known = tuple(r.resolved.run_id for r in of_name if draft.record(r.resolved.run_id))
        own = (former.own_digest if former else "") if is_open else of_name[0].own_digest
        unchanged = former and (former.own_digest, former.runs) == (own, known)
        if known and not unchanged:
            draft.put_experiment(
                ExperimentEntry(name=name, own_digest=own, runs=known, commit=commit)
            )


def submit_claimed(
    workspace: Workspace, launcher: Launcher, snapshot: Snapshot
) -> tuple[Launched, ...]:
    """Submit every claim of this endpoint that has no job yet, and record the jobs' ids."""
    records = snapshot.records(snapshot.active()).values()
    mine = [r for r in records if r.latest.state == "claimed" and is_here(launcher, r)]
    with exclusive(workspace.state / "submitting", SUBMIT_SECONDS):
        results = tuple(_submit(workspace, launcher, snapshot, record) for record in mine)
    submitted = {result.run_id: result for result in results if result.job}

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        for run_id, result in submitted.items():
            record = newest.record(run_id)
            if record and record.latest.state == "claimed":
                attempt = advance(record.latest, "submitted", job=result.job)
                draft.put_record(record.with_latest(attempt))
        return draft.changes(f"Submitted {', '.join(submitted)}")

    if submitted:
        workspace.ledger.transact(step)
    return results


def _submit(
    workspace: Workspace, launcher: Launcher, snapshot: Snapshot, record: RunRecord
) -> Launched:
    """Submit one claim, or find that it was submitted already."""
    attempt = record.latest
    label = f"a{attempt.number}"
    name = job_name(record.run_id, label, attempt.nonce)
    try:
        job = launcher.find(name)
        if job is None:
            resolved = resolve_at(workspace, attempt.commit, record)
            upstream_id = resolved.inputs.upstream
            launch = recorded_launch(workspace, resolved, label, attempt.nonce)._replace(
                upstream=snapshot.record(upstream_id) if upstream_id else None,
                resume=_resumable(workspace, record),
            )
            tree = CommitTree(workspace.repository, attempt.commit)
            task = node_task(workspace, resolved, tree, launch)
            job = launcher.submit(task)
    except RunnerError as error:
        return Launched(record.run_id, attempt.number, None, error.message)
    return Launched(record.run_id, attempt.number, job, None)


def _resumable(workspace: Workspace, record: RunRecord) -> str | None:
    """Return the newest complete checkpoint of this run's earlier attempts."""
    if record.latest.number == 1:
        return None
    return newest_complete(open_run_store(workspace, record.run_id))


def resolve_at(workspace: Workspace, commit: str, record: RunRecord) -> ResolvedRun:
    """Return the recorded run as the specs of `commit` say it.

    Raises Refused when that commit's specs do not give a run of this identity.
    """
    tree = CommitTree(workspace.repository, commit)
    experiments = load_experiments(tree).experiments
    resolver = Resolver(tree, load_registry(tree), experiments)
    for experiment in experiments:
        if experiment.name == record.experiment:
            for resolved in resolver.runs(experiment):
                if resolved.run_id == record.run_id:
                    return resolved
    raise Refused(
        f"the specs of {commit[:12]} do not give run {record.run_id} of {record.experiment}",
        cure="the runner or the ledger has changed since; launch it as a new run",
    )
