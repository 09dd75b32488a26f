"""What apply would do: every run of the specs against the ledger, each with its reason.

    what is not settled: load specs -> expand -> rules -> identify -> compare with the ledger
                         -> forecast -> ceilings -> actions

`apply` runs the same list and goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from runner.errors import Refused
from runner.findings import Finding
from runner.forecast.foresight import Foresight
from runner.ledger.branch import Snapshot
from runner.planning.actions import (
    NOTHING_FORCED,
    SHARED,
    Action,
    Forced,
    Launchable,
    Plan,
    digest_of,
)
from runner.planning.decision import decide
from runner.planning.footprint import footprints, tracing
from runner.planning.reading import read_ahead
from runner.planning.settlement import Incomplete, Settlement
from runner.planning.settling import compare_all, find_settled
from runner.planning.trees import ObjectTree
from runner.policy.ceilings import under_ceilings
from runner.registry import Registry
from runner.report.wording import progress
from runner.rules import Checker
from runner.spec.check import Loaded, LoadedExperiment, load_experiments
from runner.spec.experiment import Run
from runner.spec.fields import nearest
from runner.spec.inputs import DvcOutputs, not_made
from runner.spec.load import experiment_names, path_of
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import Tree


class Survey(NamedTuple):
    """What a tree asks for, before any ceiling."""

    runs: tuple[Launchable, ...]
    others: tuple[Action, ...]
    """Actions that belong to no run of the tree."""
    settled: Settlement | None
    """What was passed over; None where some experiments alone are meant."""


def survey(
    tree: Tree,
    snapshot: Snapshot,
    registry: Registry,
    forced: Forced = NOTHING_FORCED,
    also: frozenset[str] = frozenset(),
) -> Survey:
    """Return what `tree` asks for, with the forecast of what would be launched.

    The experiments of `also` are looked at in any case. Raises Refused when an experiment is forced
    that is not there.
    """
    also |= forced.names
    try:
        settled = find_settled(tree, snapshot, registry, also)
        return _survey(tree, snapshot, registry, forced, settled)
    except Incomplete:
        settled = compare_all(tree, snapshot, registry, also)
        return _survey(tree, snapshot, registry, forced, settled)


def _survey(
    tree: Tree, snapshot: Snapshot, registry: Registry, forced: Forced, settled: Settlement
) -> Survey:
    names = _names(tree, settled)
    _check_forced(forced, names, tree)
    read_ahead(tree, snapshot, names)
    loaded = load_experiments(tree, names)
    outputs = DvcOutputs(tree)
    findings = _check(loaded, tree, registry, outputs)
    refused = {**loaded.refused, **{n: f for n, f in findings.items() if _blocks(f)}}
    sound = tuple(e for e in loaded.experiments if e.name not in refused)
    foresight = Foresight(tree, snapshot, registry, sound)
    resolved, others = _resolve(sound, tree, registry, settled, outputs, foresight)
    others = [*(_refusal(name, found) for name, found in sorted(refused.items())), *others]
    prints = footprints(sound, tree, outputs, settled)
    runs = [
        run._replace(footprint=prints.get(experiment.name))
        for experiment, found in resolved
        for run in decide(
            experiment, found, snapshot, registry, forced, findings.get(experiment.name, ())
        )
    ]
    others += _orphans(runs, settled, {one.experiment for one in others}, snapshot)
    meant = list(_share([run for run in runs if forced.means(run.action)]))
    asked = tuple(action for action in others if forced.means(action))
    passed_over = None if forced.names else settled
    return Survey(tuple(_foresee(meant, foresight)), asked, passed_over)


def make_plan(
    tree: Tree,
    snapshot: Snapshot,
    registry: Registry,
    *,
    head: str,
    base: str | None = None,
    uncommitted: bool = False,
    forced: Forced = NOTHING_FORCED,
    notes: tuple[str, ...] = (),
    also: frozenset[str] = frozenset(),
) -> tuple[Plan, tuple[Launchable, ...]]:
    """Return the plan for `tree`, and its runs for apply.

    Of `registry` the policy and what is permitted are those that count: see `runner.policy.trust`.
    """
    asked, others, settled = survey(tree, snapshot, registry, forced, also)
    runs, uses = under_ceilings(asked, snapshot, registry, forced, None if uncommitted else head)
    actions = (*(run.action for run in runs), *others)
    plan = Plan(
        head=head,
        base=base,
        uncommitted=uncommitted,
        digest=digest_of(actions),
        actions=actions,
        settled=settled,
        launcher=registry.launcher,
        policy=uses,
        notes=notes,
    )
    return plan, runs


def _resolve(
    experiments: Sequence[LoadedExperiment],
    tree: Tree,
    registry: Registry,
    settled: Settlement,
    outputs: DvcOutputs,
    foresight: Foresight,
) -> tuple[list[tuple[LoadedExperiment, tuple[ResolvedRun, ...]]], list[Action]]:
    """Return the runs of each experiment, and what becomes of those whose runs are not known."""
    resolver = Resolver(tree, registry, experiments, settled.runs_of, outputs)
    found: list[tuple[LoadedExperiment, tuple[ResolvedRun, ...]]] = []
    others: list[Action] = []
    for experiment in experiments:
        if held := _held_without_input(experiment, tree, outputs):
            others.append(_foreseen(held, experiment.runs[0], foresight))
            continue
        try:
            with tracing(tree, experiment.name):
                found.append((experiment, tuple(resolver.runs(experiment))))
        except Refused as refusal:
            others.append(_unresolved(experiment, refusal))
    return found, others


def _names(tree: Tree, settled: Settlement) -> list[str]:
    """Return the experiments of `tree` that are looked at, in order."""
    if not isinstance(tree, ObjectTree):
        return sorted(settled.looked_at)
    return sorted(name for name in settled.looked_at if tree.has(path_of(name)))


def _check(
    loaded: Loaded, tree: Tree, registry: Registry, outputs: DvcOutputs
) -> dict[str, tuple[Finding, ...]]:
    """Return what the rules find in each experiment, by its name."""
    checker = Checker(loaded.experiments, tree, registry, outputs=outputs)
    findings = {}
    for experiment in loaded.experiments:
        with tracing(tree, experiment.name):
            findings[experiment.name] = checker.check(experiment)
    return findings


def _check_forced(forced: Forced, names: Collection[str], tree: Tree) -> None:
    for name in sorted(forced.names.difference(names)):
        near = nearest(name, experiment_names(tree))
        cure = f"did you mean `{near}`?" if near else "the specs are the files below experiments/"
        raise Refused(f"there is no experiment `{name}`", cure=cure)


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
        reason = f"{SHARED} {first.action.experiment}, launched once"
        shared = run.action._replace(action="keep", reason=reason, changes=())
        yield run._replace(action=shared)


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
    told = action._replace(forecast=forecast, findings=(*action.findings, *hints))
    if forecast is None:
        return told
    return told._replace(gpu_hours=forecast.gpu_hours, cost=forecast.cost)


def _orphans(
    runs: Sequence[Launchable],
    settled: Settlement,
    refused: Container[str],
    snapshot: Snapshot,
) -> Iterator[Action]:
    """Yield the runs still going whose spec is gone, is refused or means another run now."""
    planned = {run.resolved.run_id for run in runs}
    going = [run_id for run_id in snapshot.active() if run_id not in planned]
    left = [run_id for run_id in going if not settled.keeps(run_id)]
    names = {run.resolved.run.experiment: run for run in runs}
    for record in snapshot.records(left).values():
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


def _held_without_input(
    experiment: LoadedExperiment, tree: Tree, outputs: DvcOutputs
) -> Action | None:
    """Return that a `launch: manual` experiment waits for an input that a stage has to make."""
    spec = experiment.runs[0].spec
    lacking = not_made(spec, tree, outputs) if spec.launch == "manual" else None
    if lacking is None:
        return None
    return Action(
        experiment=experiment.name,
        run_id=None,
        seed=None,
        point={},
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
        point={},
        action="refuse",
        reason=first.message,
        findings=findings,
    )
