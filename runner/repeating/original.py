"""The recorded run that is repeated or measured again: which one is meant, and what it was."""

from __future__ import annotations

from runner import screen
from runner.errors import Refused
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of, identity_payload
from runner.ledger.record import RunRecord
from runner.rules.determinism import best_verdict
from runner.spec.check import load_experiments, load_registry
from runner.spec.identity import Change, changes
from runner.spec.resolve import Resolver
from runner.spec.tree import WorkTree
from runner.workspace import Workspace


def find_succeeded(snapshot: Snapshot, name: str) -> RunRecord:
    """Return the run that is meant: of an experiment the newest that succeeded.

    Raises Refused when none has.
    """
    entry = snapshot.experiment(name)
    if entry is None:
        record = snapshot.find(name)
        found = [record]
    else:
        found = list(snapshot.records(entry.history).values())
    succeeded = [record for record in found if record.latest.outcome == "succeeded"]
    if not succeeded:
        raise Refused(f"{name} has no run that succeeded", cure=f"runner show {name}")
    return max(succeeded, key=lambda record: record.latest.ended_at or "")


def say_what_it_was(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> None:
    """Print which run is repeated, what differs here now, and the best verdict to be had."""
    attempt = record.latest
    spec = experiment_of(snapshot, record.run_id)
    ended = (attempt.ended_at or "")[:10]
    screen.say(
        f"Reproducing  {record.experiment}, seed {record.seed}, run {record.run_id} of {ended}"
    )
    screen.say(f"From         commit {attempt.commit[:12]} · {record.trainer}")
    for change in _here_now(workspace, snapshot, record):
        screen.say(
            f"Your tree    differs: {change.field} {change.old} → {change.new}. "
            "The recorded commit is used."
        )
    level, why = best_verdict(spec)
    screen.say(f"Best verdict that can be had: {level}. {why}")


def _here_now(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> tuple[Change, ...]:
    """Return what the work tree would run differently, as far as it can be told."""
    tree = WorkTree(workspace.root)
    experiments = load_experiments(tree).experiments
    present = [e for e in experiments if e.name == record.experiment]
    if not present:
        return ()
    resolver = Resolver(tree, load_registry(tree), experiments)
    try:
        runs = [r for r in resolver.runs(present[0]) if r.run.seed == record.seed]
    except Refused:
        return ()
    same_point = [r for r in runs if r.run.point == record.point] or runs
    if not same_point:
        return ()
    payload = identity_payload(snapshot, record.run_id)
    return changes(payload, same_point[0].identity.payload)
