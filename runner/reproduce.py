"""Running a recorded run again, and saying with evidence whether its result holds.

    record -> its commit, resolved again -> a fresh attempt rN -> compared -> verdict (ledger)

The recorded commit's files are used, never the work tree's; the repeat writes to folders of its
own.
"""

from __future__ import annotations

from typing import NamedTuple

from runner import screen
from runner.apply import resolve_at
from runner.errors import EXIT_OUTSIDE, Inconclusive
from runner.follow import follow_job
from runner.git.repository import CommitTree
from runner.launchers.base import Launcher
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.original import find_succeeded, say_what_it_was
from runner.repeats import Failed, Repeat, claim_repeat, conclude, keep
from runner.report.ladder import LevelName
from runner.runfolder import AttemptFolder, measured_curves, open_run_store
from runner.spec.resolve import ResolvedRun
from runner.tasks import node_task, recorded_launch
from runner.workspace import Workspace


class Request(NamedTuple):
    """What a person asked for."""

    run: str
    require: LevelName | None
    only_check: bool


def reproduce(workspace: Workspace, launcher: Launcher, request: Request) -> Repeat | Failed | None:
    """Run a recorded run again and judge it; None when only a check was asked for.

    Raises Refused when there is no succeeded run, or its commit does not give it any more.
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
    if request.only_check:
        return None
    label, nonce = claim_repeat(workspace, record)
    try:
        _repeat(workspace, launcher, snapshot, record, resolved, label, nonce)
    except BaseException as error:
        reason = str(error) or "interrupted"
        keep(workspace, Failed(record, label, reason, EXIT_OUTSIDE))
        raise
    required = request.require or ("claim" if spec.expect else "curve")
    done = conclude(workspace, record, label, required)
    keep(workspace, done)
    return done


def _repeat(
    workspace: Workspace,
    launcher: Launcher,
    snapshot: Snapshot,
    record: RunRecord,
    resolved: ResolvedRun,
    label: str,
    nonce: str,
) -> None:
    """Run it, to the end; whoever stops waiting stops the repeat."""
    upstream = resolved.inputs.upstream
    launch = recorded_launch(workspace, resolved, label, nonce)._replace(
        upstream=snapshot.record(upstream) if upstream else None
    )
    tree = CommitTree(workspace.repository, record.latest.commit)
    job = launcher.submit(node_task(workspace, resolved, tree, launch))
    screen.say(f"Submitted as repeat {label} of {record.run_id} ({job})")
    part = AttemptFolder(open_run_store(workspace, record.run_id), label)
    try:
        follow_job(launcher, job, part, f"{record.experiment} ({label})", resolved.run)
    except KeyboardInterrupt:
        launcher.cancel(job)
        raise
