"""`runner try`: a few steps of a spec as it is in the work tree. Nothing is recorded.

Through SkyPilot as well: with the files of the work tree, on machines of its own, for an hour at
most; however it ends, nothing of it is left there.
"""

from __future__ import annotations

from typing import NamedTuple

from runner import screen
from runner.errors import EXIT_RUN_FAILED, InvalidSpec, Refused
from runner.launchers.base import Launcher
from runner.launching.places import check_places
from runner.planning.asked import newest_snapshot
from runner.report.curves import read_curves
from runner.report.judge import judge
from runner.report.notation import number
from runner.rules import check
from runner.spec.check import LoadedExperiment, load_experiments
from runner.spec.experiment import Experiment
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import WorkTree
from runner.storage.runfolder import AttemptFolder
from runner.trying.estimate import agree, estimate
from runner.trying.scratch import LIMIT_SECONDS, run_scratch, say_the_log, say_why_there_is_nothing
from runner.workspace import Workspace


class Trial(NamedTuple):
    """What a person wants to try."""

    spec: str
    steps: int
    gpus: int | None = None
    """GPUs, on one node, instead of the spec's."""
    yes: bool = False
    """Whether they agree to what it costs."""


def try_spec(workspace: Workspace, launcher: Launcher, trial: Trial) -> int:
    """Train a few steps of the first run of a spec; return the exit code.

    Raises InvalidSpec when the spec is invalid, Refused when nobody agrees to what it may cost.
    """
    resolved = _resolve(workspace, launcher, trial)
    spec = resolved.run.spec
    run_id = resolved.inputs.upstream
    # Asked for only where it matters: a trial in CI has no token that opens the ledger.
    upstream = newest_snapshot(workspace).find(run_id) if run_id else None
    if launcher.is_remote:
        check_places(workspace, launcher)
        limit = LIMIT_SECONDS / 3600
        expected = estimate(newest_snapshot(workspace), spec, hours=None, limit_hours=limit)
        screen.say(f"Trying {resolved.run.experiment}: {expected.line()}")
        agree("Launch?", yes=trial.yes)
    title = f"{resolved.run.experiment} (try)"
    part = run_scratch(workspace, launcher, resolved, upstream, title=title, steps=trial.steps)
    return _tell(part, spec)


def _resolve(workspace: Workspace, launcher: Launcher, trial: Trial) -> ResolvedRun:
    """Return the first run of the spec as it is tried, checked against every rule."""
    tree = WorkTree(workspace.root)
    registry = workspace.registry.model_copy(update={"launcher": launcher.name})
    everything = load_experiments(tree)
    loaded = load_experiments(tree, [trial.spec])
    tried = tuple(_tried(experiment, trial) for experiment in loaded.experiments)
    chosen = loaded._replace(experiments=tried)
    findings = (*chosen.findings, *check(chosen, tree, registry))
    if any(finding.level == "error" for finding in findings):
        raise InvalidSpec(findings)
    others = (one for one in everything.experiments if one.name != tried[0].name)
    return next(Resolver(tree, registry, (*others, *tried)).runs(tried[0]))


def _tried(experiment: LoadedExperiment, trial: Trial) -> LoadedExperiment:
    """Return an experiment's first run alone, on the machines of a trial."""
    run = experiment.runs[0]
    resources = run.spec.resources.model_copy(update={"keep_cluster": None})
    if trial.gpus is not None:
        if resources.accelerators is None:
            raise Refused(
                f"`{experiment.name}` trains on the CPU: its resources name no accelerators",
                cure="leave --gpus out",
            )
        kind = resources.accelerators.rpartition(":")[0]
        less = {"accelerators": f"{kind}:{trial.gpus}", "nodes": 1}
        resources = resources.model_copy(update=less)
    spec = run.spec.model_copy(update={"resources": resources})
    runs = (run._replace(spec=spec),)
    return experiment._replace(runs=runs, experiment=spec, run_marks=experiment.run_marks[:1])


def _tell(part: AttemptFolder, spec: Experiment) -> int:
    """Print what the trial measured, or how it failed, and return the exit code."""
    evidence = part.evidence()
    if part.result() is None or evidence is None:
        return say_why_there_is_nothing(part)
    curves = read_curves(part.metrics_lines())
    for name, curve in sorted(curves.canonical.items()):
        screen.print_result(f"{name:<36} {number(curve.first):>12} → {number(curve.last)}")
    ending = judge(_without_saving(spec), evidence, curves)
    calls = f", reward called {evidence.reward.calls} times" if evidence.reward else ""
    took = f"{evidence.last_step} steps in {evidence.seconds:.0f} s{calls}; not recorded"
    if ending.outcome == "succeeded":
        screen.say(f"tried {took}")
        return 0
    screen.print_error(f"{ending.reason} ({took})", ending.cure or None)
    say_the_log(part, evidence)
    return EXIT_RUN_FAILED


def _without_saving(spec: Experiment) -> Experiment:
    """Return the spec as a trial is judged: it is too short to save or to validate."""
    nothing = {"save_every": None, "evaluate_every": None}
    return spec.model_copy(update={"training": spec.training.model_copy(update=nothing)})
