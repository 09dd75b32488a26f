"""Running a recorded run again, and saying with evidence whether its result holds.

    record -> its commit, resolved again -> a fresh attempt rN -> compared -> verdict (ledger)

The recorded commit's files are used, never the work tree's; the repeat writes to folders of its
own. A repeat is not an attempt: it changes nothing about the run.
"""

from __future__ import annotations

import json
import secrets
from typing import Any, NamedTuple

from runner import __version__, screen
from runner.apply import resolve_at
from runner.errors import (
    EXIT_INCONCLUSIVE,
    EXIT_OUTSIDE,
    EXIT_RUN_FAILED,
    Inconclusive,
    Refused,
)
from runner.follow import follow_job
from runner.git.repository import CommitTree
from runner.launchers.base import Launcher
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.documents import experiment_of, identity_payload
from runner.ledger.record import RunRecord, folder, ledger_json, now
from runner.node.task import Evidence
from runner.report.curves import Curves, read_curves
from runner.report.judge import judge
from runner.report.ladder import (
    LevelName,
    Trace,
    Verdict,
    compare_runs,
    environment_differences,
    reaches,
)
from runner.report.markdown import to_markdown
from runner.report.page import Page
from runner.report.repeat_page import repeat_page
from runner.report.terminal import show_page
from runner.rules.determinism import best_verdict
from runner.runfolder import AttemptFolder, measured_curves, open_run_store
from runner.spec.check import load_experiments, load_registry
from runner.spec.identity import Change, changes
from runner.spec.resolve import ResolvedRun, Resolver
from runner.spec.tree import WorkTree
from runner.tasks import node_task, recorded_launch
from runner.workspace import Workspace


class Request(NamedTuple):
    """What a person asked for."""

    run: str
    require: LevelName | None
    only_check: bool


class Repeat(NamedTuple):
    """A finished reproduction."""

    record: RunRecord
    label: str
    """`r1`, `r2`, …"""
    verdict: Verdict
    required: LevelName
    differences: tuple[str, ...]
    """Of the environment, then and now."""
    seconds: float

    @property
    def exit_code(self) -> int:
        """Return 0 when the required level is reached, 4 when that is open, else 5."""
        reached = reaches(self.verdict, self.required)
        if reached is None:
            return EXIT_INCONCLUSIVE
        return 0 if reached else EXIT_RUN_FAILED

    def document(self) -> dict[str, Any]:
        """Return the JSON of `reproduce --json`."""
        return {
            "run_id": self.record.run_id,
            "repeat": self.label,
            **self.verdict.as_json(),
            "environment": {"same": not self.differences, "differences": list(self.differences)},
            "cost": None,
        }

    def show(self) -> None:
        """Print the verdict as its page says it."""
        show_page(self.page())

    def page(self) -> Page:
        """Return the page that the ledger keeps and the terminal shows."""
        return repeat_page(self.record, self.label, self.verdict, self.differences, self.seconds)


class Failed(NamedTuple):
    """A reproduction that has nothing to compare."""

    record: RunRecord
    label: str
    reason: str
    exit_code: int

    def document(self) -> dict[str, Any]:
        """Return the JSON of `reproduce --json`."""
        return {
            "run_id": self.record.run_id,
            "repeat": self.label,
            "verdict": "inconclusive",
            "levels": [],
            "metrics": [],
            "error": self.reason,
        }

    def show(self) -> None:
        """Print why there is no verdict."""
        screen.print_error(self.reason, f"runner reproduce {self.record.run_id}   tries again")


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
    _say_what(workspace, snapshot, record)
    if request.only_check:
        return None
    label, nonce = _claim(workspace, record)
    try:
        _repeat(workspace, launcher, snapshot, record, resolved, label, nonce)
    except BaseException as error:
        reason = str(error) or "interrupted"
        _keep(workspace, Failed(record, label, reason, EXIT_OUTSIDE))
        raise
    required = request.require or ("claim" if spec.expect else "curve")
    done = _conclude(workspace, record, label, required)
    _keep(workspace, done)
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


def _say_what(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> None:
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


def repeat_path(run_id: str, label: str, name: str) -> str:
    """Return where a file of a repeat is on the ledger branch."""
    return f"{folder(run_id)}/repeats/{label}/{name}"


def _claim(workspace: Workspace, record: RunRecord) -> tuple[str, str]:
    """Take the next free number on the ledger; return it as a label, and the claim's nonce."""
    nonce = secrets.token_hex(16)
    taken: list[str] = []

    def step(snapshot: Snapshot) -> Changes:
        number = 1
        while snapshot.read(repeat_path(record.run_id, f"r{number}", "repeat.json")) is not None:
            number += 1
        taken[:] = [f"r{number}"]
        content = ledger_json({"nonce": nonce, "claimed_at": now(), "runner": __version__})
        draft = Draft(snapshot).put(repeat_path(record.run_id, taken[0], "repeat.json"), content)
        return draft.changes(f"Repeat {taken[0]} of {record.run_id}")

    workspace.ledger.transact(step)
    return taken[0], nonce


def _conclude(
    workspace: Workspace, record: RunRecord, label: str, required: LevelName
) -> Repeat | Failed:
    """Compare what the repeat has left with the original."""
    part = AttemptFolder(open_run_store(workspace, record.run_id), label)
    evidence, result = part.evidence(), part.result()
    if evidence is None:
        reason = result.error if result else "its process is gone without a word"
        return Failed(record, label, reason, EXIT_OUTSIDE)
    spec = experiment_of(workspace.ledger.snapshot(), record.run_id)
    now_curves = read_curves(part.metrics_lines())
    ending = judge(spec, evidence, now_curves)
    if ending.outcome != "succeeded":
        return Failed(
            record, label, f"the repeat {ending.outcome}: {ending.reason}", EXIT_RUN_FAILED
        )
    return _compare(workspace, record, label, required, evidence, now_curves)


def _compare(
    workspace: Workspace,
    record: RunRecord,
    label: str,
    required: LevelName,
    evidence: Evidence,
    curves: Curves,
) -> Repeat:
    spec = experiment_of(workspace.ledger.snapshot(), record.run_id)
    checkpoint = f"md5:{evidence.checkpoint_md5}" if evidence.checkpoint_md5 else None
    then = Trace(measured_curves(workspace, record), record.latest.checkpoint)
    verdict = compare_runs(spec, then, Trace(curves, checkpoint))
    differences = environment_differences(record.latest.environment, evidence.environment)
    return Repeat(record, label, verdict, required, tuple(differences), evidence.seconds)


def _keep(workspace: Workspace, done: Repeat | Failed) -> None:
    """Put the verdict, or why there is none, beside the claim on the ledger."""
    run_id, document = done.record.run_id, done.document()

    def step(snapshot: Snapshot) -> Changes:
        path = repeat_path(run_id, done.label, "repeat.json")
        claimed = json.loads(snapshot.read(path) or b"{}")
        draft = Draft(snapshot).put(path, ledger_json({**claimed, **document, "ended_at": now()}))
        if isinstance(done, Repeat):
            report = to_markdown(done.page()).encode()
            draft.put(repeat_path(run_id, done.label, "report.md"), report)
        return draft.changes(f"Repeat {done.label} of {run_id}: {document['verdict']}")

    workspace.ledger.transact(step)
