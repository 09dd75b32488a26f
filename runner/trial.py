"""`runner try`: a few steps of a spec as it is in the work tree. Nothing is recorded."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable

from runner import screen
from runner.errors import EXIT_OUTSIDE, EXIT_RUN_FAILED, InvalidSpec
from runner.follow import follow_job
from runner.launchers.local import LocalLauncher
from runner.node.channel import TRAINER_LOG
from runner.node.task import Input, Limits, NodeTask
from runner.planning import newest_snapshot
from runner.report.curves import read_curves
from runner.report.judge import judge
from runner.report.notation import number
from runner.rules import check
from runner.runfolder import AttemptFolder
from runner.spec.check import load_experiments
from runner.spec.experiment import Experiment
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import WorkTree
from runner.store import RunStore
from runner.tasks import Launch, dvc_inputs, dvc_remote_url, job_name, node_task
from runner.workspace import Workspace

LABEL = "try"
TRIALS = "trials"
"""Folder of the clone's state in which trials keep their files."""
LIMIT_SECONDS = 3600
"""Wall-clock limit of a trial."""


def try_spec(workspace: Workspace, spec: str, steps: int) -> int:
    """Train `steps` steps of the first run of `spec` here; return the exit code.

    Raises InvalidSpec when the spec is invalid.
    """
    resolved = _resolve(workspace, spec)
    # The last trial's files stay until the next one.
    shutil.rmtree(workspace.state / TRIALS, ignore_errors=True)
    task = _task(workspace, resolved, steps)
    launcher = LocalLauncher(workspace.state)
    job = launcher.submit(task)
    part = AttemptFolder(RunStore(task.store), LABEL)
    try:
        follow_job(launcher, job, part, f"{resolved.run.experiment} (try)", resolved.run)
    except KeyboardInterrupt:
        launcher.cancel(job)
        raise
    return _tell(part.newest(), resolved.run.spec)


def _resolve(workspace: Workspace, spec: str) -> ResolvedRun:
    tree = WorkTree(workspace.root)
    everything = load_experiments(tree)
    chosen = load_experiments(tree, [spec])
    findings = (*chosen.findings, *check(chosen, tree, workspace.registry))
    if any(finding.level == "error" for finding in findings):
        raise InvalidSpec(findings)
    resolver = Resolver(tree, workspace.registry, everything.experiments)
    return next(resolver.runs(chosen.experiments[0]))


def _task(workspace: Workspace, resolved: ResolvedRun, steps: int) -> NodeTask:
    nonce = secrets.token_hex(16)
    upstream = resolved.inputs.upstream
    tree = WorkTree(workspace.root)
    launch = Launch(
        LABEL,
        nonce,
        store=str(workspace.state / TRIALS / job_name(resolved.run_id, LABEL, nonce)),
        data_remote=_data_source(workspace, dvc_inputs(resolved.run.spec, tree)),
        limits=Limits(seconds=LIMIT_SECONDS, steps=steps),
        upstream=newest_snapshot(workspace).find(upstream) if upstream else None,
    )
    return node_task(workspace, resolved, tree, launch)


def _data_source(workspace: Workspace, inputs: Iterable[Input]) -> str:
    """Return this clone's DVC cache when it has everything (data may not be pushed yet).

    A cache is laid out like a remote.
    """
    cache = workspace.root / ".dvc" / "cache"
    wanted = [cache / "files" / "md5" / item.md5[:2] / item.md5[2:] for item in inputs]
    if all(path.exists() for path in wanted):
        return str(cache)
    return dvc_remote_url(workspace, workspace.registry.dvc_remotes.data)


def _tell(part: AttemptFolder, spec: Experiment) -> int:
    """Print what the trial measured, or how it failed, and return the exit code."""
    result, evidence = part.result(), part.evidence()
    if result is None or evidence is None:
        screen.print_error(result.error if result else "the trial was killed", None)
        return EXIT_OUTSIDE
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
    for line in evidence.log_tail[-15:]:
        screen.say(f"  {line}")
    screen.say(f"all of it: {part.store.url(part.prefix)}/{TRAINER_LOG}")
    return EXIT_RUN_FAILED


def _without_saving(spec: Experiment) -> Experiment:
    """Return the spec as a trial is judged: it is too short to save or to validate."""
    nothing = {"save_every": None, "evaluate_every": None}
    return spec.model_copy(update={"training": spec.training.model_copy(update=nothing)})
