"""Running a recorded run again, and saying with evidence whether its result holds.

    record -> its commit, resolved again -> a fresh attempt rN -> compared -> verdict (ledger)

The recorded commit's files are used, never the work tree's; the repeat writes to folders of its
own. One on this machine ends with whoever waits for it; one elsewhere goes on, and `attach` comes
back to it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import NamedTuple

from runner import screen
from runner.errors import EXIT_OUTSIDE, Inconclusive, OutsideError, Refused, Unclear
from runner.git.commit_tree import CommitTree
from runner.launchers import LAUNCHERS
from runner.launchers.base import Launcher
from runner.launching.follow import follow_job
from runner.launching.places import check_places, is_ci
from runner.launching.tasks import check_train_python, node_task, recorded_launch
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.planning.recorded import resolve_at
from runner.repeating.original import find_succeeded, say_what_it_was
from runner.repeating.repeats import (
    Claim,
    Failed,
    Repeat,
    Submitted,
    claim_repeat,
    claims,
    conclude,
    keep,
    note_job,
)
from runner.report.ladder import LevelName
from runner.spec.experiment import Experiment
from runner.spec.resolve import ResolvedRun
from runner.storage.runfolder import AttemptFolder, measured_curves, open_run_store
from runner.trying.estimate import agree, estimate, hours_of, open_at_once
from runner.workspace import Workspace


class Request(NamedTuple):
    """What a person asked for."""

    run: str
    require: LevelName | None
    only_check: bool = False
    wait: bool = False
    yes: bool = False
    """Whether they agree to what it costs."""


Done = Repeat | Failed | Submitted


def reproduce(workspace: Workspace, launcher: Launcher, request: Request) -> Done | None:
    """Run a recorded run again and judge it; None when only a check was asked for.

    Raises Refused when there is no succeeded run, its commit does not give it any more, or nobody
    agrees to what it may cost, OutsideError when this machine has no training environment for it.
    """
    snapshot = workspace.ledger.fetch()
    record = find_succeeded(snapshot, request.run)
    spec = experiment_of(snapshot, record.run_id)
    resolved = resolve_at(workspace, record.latest.commit, record)
    if not measured_curves(workspace, record):
        raise Inconclusive(
            f"the metrics of run {record.run_id} are not in this clone's run store",
            cure="run_store in registry.yaml names a place that all share, such as s3://…",
        )
    say_what_it_was(workspace, snapshot, record)
    if launcher.is_remote:
        _say_what_it_costs(snapshot, record, spec)
    if request.only_check:
        return None
    if launcher.is_remote:
        check_places(workspace, launcher)
        agree("Launch?", yes=request.yes)
    else:
        check_train_python(workspace, spec)
    required = _required(spec, request.require)
    claim = claim_repeat(workspace, launcher, record.run_id, required)
    job = _submit(workspace, launcher, snapshot, record, resolved, claim)
    if not _is_waited_for(launcher, request):
        return Submitted(claim, job)
    return _to_the_end(workspace, launcher, record, resolved, claim, job)


def attach(workspace: Workspace, name: str, label: str, require: LevelName | None) -> Done:
    """Follow a repeat that goes on, to its end, and judge it; one that has ended is judged again.

    Raises Refused when there is no such repeat, or it was never submitted; OutsideError when it
    was started elsewhere.
    """
    snapshot = workspace.ledger.fetch()
    record = find_succeeded(snapshot, name)
    found = {claim.label: claim for claim in claims(snapshot, record.run_id)}
    if label not in found:
        has = f"; it has {', '.join(found)}" if found else ""
        raise Refused(f"run {record.run_id} has no repeat {label}{has}")
    claim = found[label]
    if require is not None:
        claim = claim._replace(required=require)
    if claim.verdict is not None:
        spec = experiment_of(snapshot, record.run_id)
        return conclude(workspace, record, label, _required(spec, claim.required))
    launcher = _launcher_of(workspace, claim)
    resolved = resolve_at(workspace, record.latest.commit, record)
    job = claim.job or launcher.find([claim.name]).get(claim.name)
    if job is None:
        raise Refused(f"repeat {label} of {record.run_id} was never submitted")
    return _to_the_end(workspace, launcher, record, resolved, claim, job)


def _launcher_of(workspace: Workspace, claim: Claim) -> Launcher:
    launcher = LAUNCHERS[claim.launcher](workspace)
    if launcher.reach(claim.endpoint) == "elsewhere":
        raise OutsideError(
            f"repeat {claim.label} of {claim.run_id} was started elsewhere: {claim.endpoint}",
            cure=f"{claim.attach}   there",
        )
    return launcher


def _required(spec: Experiment, asked: LevelName | None) -> LevelName:
    return asked or ("claim" if spec.expect else "curve")


def _is_waited_for(launcher: Launcher, request: Request) -> bool:
    """Whether the command goes on to the verdict: asked to, at a terminal, or it would stop here.

    A job of CI and a pipe submit and leave, as apply does.
    """
    return request.wait or not launcher.is_remote or (sys.stderr.isatty() and not is_ci())


def _say_what_it_costs(snapshot: Snapshot, record: RunRecord, spec: Experiment) -> None:
    limit = spec.resources.max_duration / 3600
    expected = estimate(snapshot, spec, hours=hours_of(record), limit_hours=limit)
    screen.say(f"SkyPilot     {expected.line()}")


def _submit(
    workspace: Workspace,
    launcher: Launcher,
    snapshot: Snapshot,
    record: RunRecord,
    resolved: ResolvedRun,
    claim: Claim,
) -> str:
    """Submit the claimed repeat and return its job."""
    upstream = resolved.inputs.upstream
    launch = recorded_launch(workspace, resolved, claim.label, claim.nonce)._replace(
        upstream=snapshot.record(upstream) if upstream else None,
        candidates=open_at_once(resolved.run.spec.resources),
    )
    tree = CommitTree(workspace.repository, record.latest.commit)
    with _written_down(workspace, record, claim, goes_on=(KeyboardInterrupt, Unclear)):
        job = launcher.submit(node_task(workspace, resolved, tree, launch))
    note_job(workspace, claim, job)
    screen.say(f"Submitted as repeat {claim.label} of {record.run_id} ({job})")
    return job


def _to_the_end(
    workspace: Workspace,
    launcher: Launcher,
    record: RunRecord,
    resolved: ResolvedRun,
    claim: Claim,
    job: str,
) -> Repeat | Failed:
    """Follow a repeat to its end and judge it; whoever stops waiting stops a local one."""
    part = AttemptFolder(open_run_store(workspace, record.run_id), claim.label)
    title = f"{record.experiment} ({claim.label})"
    with _written_down(workspace, record, claim, goes_on=(BaseException,)):
        try:
            follow_job(launcher, job, part, title, resolved.run)
        except KeyboardInterrupt:
            if not launcher.is_remote:
                launcher.cancel(job)
            raise
    spec = experiment_of(workspace.ledger.snapshot(), record.run_id)
    done = conclude(workspace, record, claim.label, _required(spec, claim.required))
    keep(workspace, done)
    return done


@contextlib.contextmanager
def _written_down(
    workspace: Workspace,
    record: RunRecord,
    claim: Claim,
    goes_on: tuple[type[BaseException], ...],
) -> Iterator[None]:
    """Write a repeat that has failed into the ledger.

    After an error of `goes_on` one that is not of this machine may go on: it stays open there.
    """
    try:
        yield
    except BaseException as error:
        if claim.launcher != "local" and isinstance(error, goes_on):
            screen.say(f"it goes on; {claim.attach}   comes back to it")
        else:
            reason = str(error) or "interrupted"
            keep(workspace, Failed(record, claim.label, reason, EXIT_OUTSIDE))
        raise
