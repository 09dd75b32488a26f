"""`runner try`: a few steps of a spec as it is in the work tree. Nothing is recorded."""

from __future__ import annotations

from runner import screen
from runner.errors import EXIT_RUN_FAILED, InvalidSpec
from runner.planning import newest_snapshot
from runner.report.curves import read_curves
from runner.report.judge import judge
from runner.report.notation import number
from runner.rules import check
from runner.runfolder import AttemptFolder
from runner.scratch import run_here, say_the_log, say_why_there_is_nothing
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import WorkTree
from runner.workspace import Workspace


def try_spec(workspace: Workspace, spec: str, steps: int) -> int:
    """Train `steps` steps of the first run of `spec` here; return the exit code.

    Raises InvalidSpec when the spec is invalid.
    """
    resolved = _resolve(workspace, spec)
    run_id = resolved.inputs.upstream
    upstream = newest_snapshot(workspace).find(run_id) if run_id else None
    title = f"{resolved.run.experiment} (try)"
    part = run_here(workspace, resolved, upstream, title=title, steps=steps)
    return _tell(part, resolved.run.spec)


def _resolve(workspace: Workspace, spec: str) -> ResolvedRun:
    tree = WorkTree(workspace.root)
    everything = load_experiments(tree)
    chosen = load_experiments(tree, [spec])
    findings = (*chosen.findings, *check(chosen, tree, workspace.registry))
    if any(finding.level == "error" for finding in findings):
        raise InvalidSpec(findings)
    resolver = Resolver(tree, workspace.registry, everything.experiments)
    return next(resolver.runs(chosen.experiments[0]))


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
