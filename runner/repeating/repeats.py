"""Repeats of a recorded run on the ledger: claimed, judged, kept beside its record.

A repeat is no attempt: it changes nothing about the run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from runner import __version__, screen
from runner.errors import EXIT_INCONCLUSIVE, EXIT_OUTSIDE, EXIT_RUN_FAILED
from runner.launchers.base import Launcher
from runner.launching.tasks import job_name
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.draft import Changes, Draft
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
from runner.storage.runfolder import AttemptFolder, measured_curves, open_run_store
from runner.workspace import Workspace

_FILE = "repeat.json"


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
    cost: float | None
    """US dollars; None where no price was known."""

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
            "cost": self.cost,
        }

    def show(self) -> None:
        """Print the verdict as its page says it."""
        show_page(self.page())

    def page(self) -> Page:
        """Return the page that the ledger keeps and the terminal shows."""
        return repeat_page(
            self.record, self.label, self.verdict, self.differences, self.seconds, self.cost
        )


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


class Submitted(NamedTuple):
    """A reproduction that goes on, and that nobody waits for."""

    claim: Claim
    job: str

    @property
    def exit_code(self) -> int:
        """Return 0: what was asked for is done."""
        return 0

    def document(self) -> dict[str, Any]:
        """Return the JSON of `reproduce --json`."""
        return {
            "run_id": self.claim.run_id,
            "repeat": self.claim.label,
            "verdict": None,
            "levels": [],
            "metrics": [],
            "job": self.job,
        }

    def show(self) -> None:
        """Say how its verdict is had."""
        screen.say(f"{self.claim.attach}   follows it and gives the verdict")


class Claim(NamedTuple):
    """A repeat as the ledger knows it."""

    run_id: str
    label: str
    """`r1`, `r2`, …"""
    nonce: str
    launcher: str
    endpoint: str
    """Where its launcher lives: as of an attempt."""
    required: LevelName | None
    job: str | None
    """The launcher's id of it; None until it is known to be submitted."""
    verdict: str | None
    """None while it goes on, or while nobody has looked."""

    @classmethod
    def of(cls, run_id: str, label: str, content: Mapping[str, Any]) -> Claim:
        """Return the claim that repeat.json holds; earlier runners started local ones alone."""
        return cls(
            run_id,
            label,
            nonce=content["nonce"],
            launcher=content.get("launcher", "local"),
            endpoint=content.get("endpoint", ""),
            required=content.get("require"),
            job=content.get("job"),
            verdict=content.get("verdict"),
        )

    @property
    def name(self) -> str:
        """The name that it is submitted under."""
        return job_name(self.run_id, self.label, self.nonce)

    @property
    def attach(self) -> str:
        """The command that comes back to it."""
        return f"runner reproduce {self.run_id} --attach {self.label}"


def repeat_path(run_id: str, label: str, name: str) -> str:
    """Return where a file of a repeat is on the ledger branch."""
    return f"{folder(run_id)}/repeats/{label}/{name}"


def claims(snapshot: Snapshot, run_id: str) -> tuple[Claim, ...]:
    """Return the repeats of a run, whatever has become of them, in their order."""
    labels = snapshot.names(f"{folder(run_id)}/repeats")
    paths = {repeat_path(run_id, label, _FILE): label for label in labels}
    found = snapshot.read_many(paths)
    told = (Claim.of(run_id, paths[path], json.loads(text)) for path, text in found.items())
    return tuple(sorted(told, key=lambda claim: int(claim.label[1:])))


def claim_repeat(
    workspace: Workspace, launcher: Launcher, run_id: str, required: LevelName
) -> Claim:
    """Take the next free number on the ledger for a repeat that `launcher` starts."""
    content = {
        "nonce": secrets.token_hex(16),
        "claimed_at": now(),
        "runner": __version__,
        "launcher": launcher.name,
        "endpoint": launcher.endpoint(),
        "require": required,
    }
    taken: list[str] = []

    def step(snapshot: Snapshot) -> Changes:
        number = 1
        while snapshot.read(repeat_path(run_id, f"r{number}", _FILE)) is not None:
            number += 1
        taken[:] = [f"r{number}"]
        draft = Draft(snapshot).put(repeat_path(run_id, taken[0], _FILE), ledger_json(content))
        return draft.changes(f"Repeat {taken[0]} of {run_id}")

    workspace.ledger.transact(step)
    return Claim.of(run_id, taken[0], content)


def note_job(workspace: Workspace, claim: Claim, job: str) -> None:
    """Write the launcher's id of a submitted repeat beside its claim."""

    def step(snapshot: Snapshot) -> Changes:
        path = repeat_path(claim.run_id, claim.label, _FILE)
        known = json.loads(snapshot.read(path) or b"{}")
        draft = Draft(snapshot).put(path, ledger_json({**known, "job": job}))
        return draft.changes(f"Repeat {claim.label} of {claim.run_id} submitted")

    workspace.ledger.transact(step)


def conclude(
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
    beat = part.heartbeat()
    done = _compare(workspace, record, label, required, evidence, now_curves)
    return done._replace(cost=beat.usd if beat else None)


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
    return Repeat(record, label, verdict, required, tuple(differences), evidence.seconds, None)


def keep(workspace: Workspace, done: Repeat | Failed) -> None:
    """Put the verdict, or why there is none, beside the claim on the ledger."""
    run_id, document = done.record.run_id, done.document()

    def step(snapshot: Snapshot) -> Changes:
        path = repeat_path(run_id, done.label, _FILE)
        claimed = json.loads(snapshot.read(path) or b"{}")
        draft = Draft(snapshot).put(path, ledger_json({**claimed, **document, "ended_at": now()}))
        if isinstance(done, Repeat):
            report = to_markdown(done.page()).encode()
            draft.put(repeat_path(run_id, done.label, "report.md"), report)
        return draft.changes(f"Repeat {done.label} of {run_id}: {document['verdict']}")

    workspace.ledger.transact(step)
