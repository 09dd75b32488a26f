"""Which action a run gets, and why: the ledger's record, what differs, what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from runner.findings import Finding
from runner.ledger.branch import Snapshot
from runner.ledger.documents import identity_payload, resolved_spec
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import RunRecord
from runner.ledger.standing import standing_of
from runner.planning.actions import Action, Forced, Launchable, Verb
from runner.registry import Registry
from runner.report.wording import changed_fields, kept
from runner.spec.check import LoadedExperiment
from runner.spec.identity import Change, changes, own_digest, policy_changes
from runner.spec.resolve import ResolvedRun


def decide(
    experiment: LoadedExperiment,
    resolved: tuple[ResolvedRun, ...],
    snapshot: Snapshot,
    registry: Registry,
    forced: Forced,
    hints: tuple[Finding, ...],
) -> Iterator[Launchable]:
    """Yield each run of `experiment` with its action."""
    entry = snapshot.experiment(experiment.name)
    own = own_digest(experiment.own)
    former = _former_runs(entry, snapshot)
    records = snapshot.records([run.run_id for run in resolved])
    for run in resolved:
        record = records.get(run.run_id)
        edited = entry is None or entry.own_digest != own
        differences = _differences(run, former, snapshot) if record is None else ()
        verb, reason = _verdict(
            run, record, snapshot, forced, edited=edited, differences=differences
        )
        nodes = run.run.spec.resources.nodes
        lifted_by: Literal["writer"] | None = "writer" if verb == "hold" else None
        if verb == "launch" and registry.launcher == "local" and nodes > 1:
            verb, reason = "hold", f"{reason}; the local launcher has one machine, not {nodes}"
        action = Action(
            experiment=experiment.name,
            run_id=run.run_id,
            seed=run.run.seed,
            point=run.run.point,
            action=verb,
            reason=reason,
            changes=differences,
            trainer=run.run.spec.trainer,
            launcher=registry.launcher,
            lifted_by=lifted_by,
            findings=hints,
        )
        yield Launchable(run, own, action)


def _verdict(
    run: ResolvedRun,
    record: RunRecord | None,
    snapshot: Snapshot,
    forced: Forced,
    *,
    edited: bool,
    differences: tuple[Change, ...],
) -> tuple[Verb, str]:
    """Return the action of one run and its reason."""
    spec, name = run.run.spec, run.run.experiment
    if record is not None:
        return "keep", kept(record.run_id, standing_of(record), name)
    why = changed_fields(differences) or "new"
    if not edited and not spec.follow_inputs and name not in forced.rerun:
        return "stale", f"{why}; runner rerun {name}"
    if blocker := _upstream_blocker(run, snapshot):
        return "wait", blocker
    if spec.launch == "manual" and name not in forced.launch | forced.rerun:
        return "hold", f"{why}; launch: manual, lifted by runner launch {name}"
    return "launch", why


def _upstream_blocker(run: ResolvedRun, snapshot: Snapshot) -> str | None:
    """Return why the run that this one starts from is not ready; None when nothing is missing."""
    upstream, model = run.inputs.upstream, run.run.spec.model
    if upstream is None or model is None:
        return None
    record = snapshot.record(upstream)
    source = f"{model.path.partition('@')[0]} (run {upstream})"
    if record is None:
        return f"starts from {source}, which has not run"
    if record.latest.state != "ended":
        return f"starts from {source}, which is {record.latest.state}"
    if record.latest.outcome != "succeeded":
        return f"starts from {source}, which ended {record.latest.outcome}; runner retry {upstream}"
    if record.latest.checkpoint is None:
        return f"starts from {source}, which has left no checkpoint"
    return None


def _former_runs(
    entry: ExperimentEntry | None, snapshot: Snapshot
) -> Mapping[tuple[int, str], RunRecord]:
    """Return the newest run of each seed and point that the ledger knows of an experiment."""
    if entry is None:
        return {}
    # What it stands for now comes last: a revert takes up a run from far back in the history.
    ids = (*entry.history, *entry.runs)
    records = snapshot.records(ids)
    ordered = (records[run_id] for run_id in ids if run_id in records)
    return {(record.seed, str(sorted(record.point.items()))): record for record in ordered}


def _differences(
    run: ResolvedRun, former: Mapping[tuple[int, str], RunRecord], snapshot: Snapshot
) -> tuple[Change, ...]:
    """Return what differs from the former run of the same seed and point (else of the seed)."""
    seed = run.run.seed
    known = former.get((seed, str(sorted(run.run.point.items()))))
    same_seed = [record for (other, _), record in former.items() if other == seed]
    record = known or (same_seed[-1] if same_seed else None)
    if record is None:
        return ()
    old = identity_payload(snapshot, record.run_id)
    old_spec = resolved_spec(snapshot, record.run_id)
    new_spec = run.run.spec.model_dump(mode="json", by_alias=True)
    return (*changes(old, run.identity.payload), *policy_changes(old_spec, new_spec))
