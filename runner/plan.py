"""What apply would do: every run of the specs against the ledger, each with its reason.

    load specs -> expand -> identify -> compare with the ledger -> actions

`apply` runs the same list and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field, field_serializer

from runner.errors import Refused
from runner.findings import Finding
from runner.forecast.cost import Cost
from runner.forecast.document import Forecast
from runner.forecast.foresight import Foresight
from runner.forecast.span import Span
from runner.ledger.branch import Snapshot
from runner.ledger.documents import identity_payload, resolved_spec
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import RunRecord
from runner.registry import Registry
from runner.rules import check_each
from runner.spec.check import LoadedExperiment, load_experiments
from runner.spec.experiment import Run
from runner.spec.fields import nearest
from runner.spec.identity import Change, changes, digest, own_digest, policy_changes
from runner.spec.inputs import DvcOutputs, not_made
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.section import Section
from runner.spec.tree import Tree
from runner.wording import changed_fields, kept, progress

FORESEEN = {"gpu_hours", "cost", "forecast"}
"""Fields of an action that the plan's digest does not cover."""

Verb = Literal["launch", "hold", "stale", "wait", "keep", "orphan", "refuse"]


class Action(Section):
    """What happens to one run, and why."""

    experiment: str
    run_id: str | None
    seed: int | None
    point: dict[str, Any] = Field(default={})
    action: Verb
    reason: str
    changes: tuple[Change, ...] = Field(default=(), strict=False)
    """Against the newest run of this experiment with the same seed and point."""
    trainer: str | None = None
    launcher: str | None = None
    gpu_hours: Span | None = None
    cost: Cost | None = None
    """If the GPUs are rented; of what is launched or held, where a price is known."""
    forecast: Forecast | None = None
    findings: tuple[Finding, ...] = Field(default=(), strict=False)

    @field_serializer("changes", "findings")
    def _by_name(self, items: tuple[Change | Finding, ...]) -> list[dict[str, Any]]:
        return [item._asdict() for item in items]


class Plan(Section):
    """All actions on one state of the specs."""

    head: str
    base: str | None
    uncommitted: bool
    digest: str
    actions: tuple[Action, ...]

    def count(self, verb: Verb) -> int:
        """Return how many actions are `verb`."""
        return sum(action.action == verb for action in self.actions)


class Launchable(NamedTuple):
    """A run that the plan knows, with what launching it takes."""

    resolved: ResolvedRun
    own_digest: str
    action: Action


class Forced(NamedTuple):
    """Experiments that a person asked to launch although the plan would not."""

    launch: frozenset[str] = frozenset()
    """Held ones (`runner launch`)."""
    rerun: frozenset[str] = frozenset()
    """Stale ones (`runner rerun`)."""

    @property
    def names(self) -> frozenset[str]:
        """The experiments that are meant, and no others; empty for all."""
        return self.launch | self.rerun

    def means(self, action: Action) -> bool:
        """Whether `action` is about an experiment that is meant."""
        return not self.names or action.experiment in self.names


NOTHING_FORCED = Forced()


def survey(
    tree: Tree, snapshot: Snapshot, registry: Registry, forced: Forced = NOTHING_FORCED
) -> tuple[tuple[Launchable, ...], tuple[Action, ...]]:
    """Return the runs of `tree` with their actions, and the actions that belong to no run of it.

    Raises Refused when an experiment is forced that is not there.
    """
    loaded = load_experiments(tree)
    _check_forced(forced, {*loaded.refused, *(one.name for one in loaded.experiments)})
    findings = check_each(loaded, tree, registry)
    refused = {**loaded.refused, **{n: f for n, f in findings.items() if _blocks(f)}}
    sound = tuple(e for e in loaded.experiments if e.name not in refused)
    resolver = Resolver(tree, registry, sound)
    foresight = Foresight(tree, snapshot, registry, sound)
    runs: list[Launchable] = []
    others = [_refusal(name, found) for name, found in sorted(refused.items())]
    for experiment in sound:
        if held := _held_without_input(experiment, tree):
            others.append(_foreseen(held, experiment.runs[0], foresight))
            continue
        try:
            resolved = tuple(resolver.runs(experiment))
        except Refused as refusal:
            others.append(_unresolved(experiment, refusal))
            continue
        hints = findings.get(experiment.name, ())
        runs.extend(_decide(experiment, resolved, snapshot, registry, forced, hints))
    refusals = frozenset(action.experiment for action in others)
    others += _orphans(tuple(runs), refusals, snapshot)
    meant = [run for run in _share(runs) if forced.means(run.action)]
    foreseen = tuple(_foresee(_hold_over_ceiling(meant, registry), foresight))
    return foreseen, tuple(action for action in others if forced.means(action))


def make_plan(
    tree: Tree,
    snapshot: Snapshot,
    registry: Registry,
    *,
    head: str,
    base: str | None = None,
    uncommitted: bool = False,
    forced: Forced = NOTHING_FORCED,
) -> tuple[Plan, tuple[Launchable, ...]]:
    """Return the plan for `tree`, and its runs for apply."""
    runs, others = survey(tree, snapshot, registry, forced)
    actions = (*(run.action for run in runs), *others)
    # What is done, not what it is expected to take: prices and forecasts move by themselves.
    dumped = [action.model_dump(mode="json", exclude=FORESEEN) for action in actions]
    plan = Plan(
        head=head,
        base=base,
        uncommitted=uncommitted,
        digest=digest({"actions": dumped}),
        actions=actions,
    )
    return plan, runs


def _check_forced(forced: Forced, names: set[str]) -> None:
    for name in sorted((forced.launch | forced.rerun) - names):
        near = nearest(name, names)
        cure = f"did you mean `{near}`?" if near else "the specs are the files below experiments/"
        raise Refused(f"there is no experiment `{name}`", cure=cure)


def _decide(
    experiment: LoadedExperiment,
    resolved: tuple[ResolvedRun, ...],
    snapshot: Snapshot,
    registry: Registry,
    forced: Forced,
    hints: tuple[Finding, ...],
) -> Iterator[Launchable]:
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
        return "keep", kept(record, name)
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


def _share(runs: list[Launchable]) -> Iterator[Launchable]:
    """Let runs of one identity, new in this plan, be launched once: by the first that may."""
    launching: dict[str, Launchable] = {}
    for run in runs:
        if run.action.action == "launch":
            launching.setdefault(run.resolved.run_id, run)
    for run in runs:
        first = launching.get(run.resolved.run_id, run)
        if first is run:
            yield run
            continue
        reason = f"the same run as that of {first.action.experiment}, launched once"
        shared = run.action.model_copy(update={"action": "keep", "reason": reason, "changes": ()})
        yield run._replace(action=shared)


def _hold_over_ceiling(runs: Iterable[Launchable], registry: Registry) -> Iterator[Launchable]:
    """Hold what is over the policy's ceiling on launches; the rest proceeds in order of name."""
    ceiling = registry.policy.launches_per_apply
    launched = 0
    for run in runs:
        launched += run.action.action == "launch"
        if ceiling is None or run.action.action != "launch" or launched <= ceiling:
            yield run
            continue
        reason = f"{run.action.reason}; over the ceiling of {ceiling} launches per apply"
        held = run.action.model_copy(update={"action": "hold", "reason": reason})
        yield run._replace(action=held)


def _foresee(runs: Iterable[Launchable], foresight: Foresight) -> Iterator[Launchable]:
    """Say of what is launched, or would be, how much it takes."""
    for run in runs:
        if run.action.action in ("launch", "hold"):
            action = _foreseen(run.action, run.resolved.run, foresight)
            yield run._replace(action=action)
        else:
            yield run


def _foreseen(action: Action, run: Run, foresight: Foresight) -> Action:
    forecast, hints = foresight.of(run)
    update: dict[str, Any] = {"forecast": forecast, "findings": (*action.findings, *hints)}
    if forecast:
        update |= {"gpu_hours": forecast.gpu_hours, "cost": forecast.cost}
    return action.model_copy(update=update)


def _orphans(
    runs: tuple[Launchable, ...], refused: frozenset[str], snapshot: Snapshot
) -> Iterator[Action]:
    """Yield the runs still going whose spec is gone, is refused or means another run now."""
    planned = {run.resolved.run_id for run in runs}
    names = {run.resolved.run.experiment: run for run in runs}
    for record in snapshot.records(list(snapshot.active())).values():
        if record.run_id in planned:
            continue
        successor = names.get(record.experiment)
        cancels = successor and successor.resolved.run.spec.when_edited == "cancel_running"
        gone = "is refused as it is now" if record.experiment in refused else "is gone"
        what = "its spec was edited" if successor else f"its spec {gone}"
        fate = "it is cancelled" if cancels else f"it goes on; runner cancel {record.run_id}"
        yield Action(
            experiment=record.experiment,
            run_id=record.run_id,
            seed=record.seed,
            point=record.point,
            action="orphan",
            reason=f"{what}, {progress(record.latest)}; {fate}",
            trainer=record.trainer,
            launcher=record.latest.launcher,
        )


def _blocks(findings: tuple[Finding, ...]) -> bool:
    return any(finding.level == "error" for finding in findings)


def _unresolved(experiment: LoadedExperiment, refusal: Refused) -> Action:
    finding = Finding(
        path=experiment.path,
        line=1,
        column=1,
        key="",
        rule="inputs.tracked",
        level="error",
        message=refusal.message,
        cure=refusal.cure or "",
    )
    return _refusal(experiment.name, (finding,))


def _held_without_input(experiment: LoadedExperiment, tree: Tree) -> Action | None:
    """Return that a `launch: manual` experiment waits for an input that a stage has to make."""
    spec = experiment.runs[0].spec
    lacking = not_made(spec, tree, DvcOutputs(tree)) if spec.launch == "manual" else None
    if lacking is None:
        return None
    return Action(
        experiment=experiment.name,
        run_id=None,
        seed=None,
        action="hold",
        reason=f"{lacking[0]} has not been made; dvc repro {lacking[1]}   and commit dvc.lock",
        trainer=spec.trainer,
    )


def _refusal(name: str, findings: tuple[Finding, ...]) -> Action:
    """Return the refusal of an experiment, led by its first error."""
    first = next(finding for finding in findings if finding.level == "error")
    return Action(
        experiment=name,
        run_id=None,
        seed=None,
        action="refuse",
        reason=first.message,
        findings=findings,
    )
