"""A run's folder in the run store, as the verbs read it: heartbeat, curves, evidence, result."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import NamedTuple

from runner.ledger.branch import Snapshot
from runner.ledger.record import RunRecord, Stay, folder
from runner.node.channel import EVIDENCE, HEARTBEAT, METRICS, RESULT, TRAINER_LOG
from runner.node.job import TASK
from runner.node.task import Evidence, NodeTask, Result
from runner.node.whereabouts import Whereabouts, read_whereabouts, stays
from runner.report.curves import Curves, kept_curves, read_curves
from runner.spec.section import RECORDED
from runner.storage.store import RunStore, open_store
from runner.workspace import Workspace

LAUNCHER_LOG = "launcher.txt"
"""In an attempt's folder: what the launcher printed of a job whose node has left no word."""
_EPOCH = re.compile(r"epoch-(\d+)")


class Heartbeat(NamedTuple):
    """The node's last sign of life."""

    time: str
    phase: str
    step: int
    steps: int | None
    seconds: float
    usd: float | None = None
    """What the attempt has cost so far, in US dollars; None where no price is known."""


class AttemptFolder:
    """What one attempt (`a1`, `r1`, …) of a run has left in the store, by the epochs of now."""

    def __init__(self, store: RunStore, attempt: str) -> None:
        """Read from `store`, the run's folder."""
        self.store = store
        self.attempt = attempt
        self._names = frozenset(store.list(attempt))
        self.epochs = sorted(self._epochs())

    def newest(self) -> AttemptFolder:
        """Return the same folder with the epochs that it has by now."""
        return AttemptFolder(self.store, self.attempt)

    def _epochs(self) -> set[int]:
        parts = (name.split("/")[1] for name in self._names if "/" in name)
        return {int(match[1]) for part in parts if (match := _EPOCH.fullmatch(part))}

    @property
    def prefix(self) -> str:
        """The newest epoch's folder."""
        return f"{self.attempt}/epoch-{self.epochs[-1] if self.epochs else 1}"

    def has(self, name: str) -> bool:
        """Whether the newest epoch had a file of this name when the folder was listed."""
        return f"{self.prefix}/{name}" in self._names

    def read(self, name: str) -> bytes | None:
        """Return a file of the newest epoch."""
        return self.store.get(f"{self.prefix}/{name}")

    def heartbeat(self) -> Heartbeat | None:
        """Return the node's last sign of life; None before the first."""
        data = self.read(HEARTBEAT)
        return Heartbeat(**json.loads(data)) if data else None

    def node_time(self) -> datetime:
        """Return this moment by the clock of the node, which may be hours off ours.

        The store's own clock says how long ago the node spoke; before that, what time it is.
        """
        beat, heard = self.heartbeat(), self.heard()
        if beat is None or heard is None:
            return self.store.now()
        return datetime.fromisoformat(beat.time) + (self.store.now() - heard)

    def heard(self) -> datetime | None:
        """Return when the node spoke last, by the clock of the store."""
        return self.store.modified(f"{self.prefix}/{HEARTBEAT}")

    def evidence(self) -> Evidence | None:
        """Return what was found when the trainer had ended; None while it has not."""
        data = self.read(EVIDENCE)
        return Evidence.model_validate_json(data) if data else None

    def result(self) -> Result | None:
        """Return the node's last word; None while it has not spoken."""
        data = self.read(RESULT)
        return Result.model_validate_json(data) if data else None

    def task(self) -> NodeTask | None:
        """Return what the newest epoch was told to do; None before it has begun.

        Keys that the format has lost since are passed over: a run outlives versions of the runner.
        """
        data = self.read(TASK)
        if not data:
            return None
        return NodeTask.model_validate_json(data, extra="ignore", context=RECORDED)

    def whereabouts(self) -> list[Whereabouts]:
        """Return where each epoch was, oldest first; those that did not say are left out."""
        found = (read_whereabouts(self.store, self.attempt, epoch) for epoch in self.epochs)
        return [one for one in found if one]

    def stays(self) -> tuple[Stay, ...]:
        """Return where the attempt has been so far, and how long."""
        return stays(self.store, self.attempt)

    def log(self) -> str:
        """Return the trainer's output so far."""
        return (self.read(TRAINER_LOG) or b"").decode(errors="replace")

    def metrics_lines(self) -> list[list[str]]:
        """Return the lines of metrics.jsonl of each epoch, oldest first."""
        names = (f"{self.attempt}/epoch-{epoch}/{METRICS}" for epoch in self.epochs)
        return [(self.store.get(name) or b"").decode().splitlines() for name in names]


def open_run_store(workspace: Workspace, run_id: str) -> RunStore:
    """Return the store of one run."""
    return open_store(workspace.registry.run_store, workspace.root).at(folder(run_id))


def attempt_folder(workspace: Workspace, record: RunRecord) -> AttemptFolder:
    """Return the folder of a run's newest attempt."""
    return AttemptFolder(open_run_store(workspace, record.run_id), f"a{record.latest.number}")


def measured_curves(workspace: Workspace, record: RunRecord) -> Curves:
    """Return a run's curves over all attempts: a later one wins from its first step on."""
    store = open_run_store(workspace, record.run_id)
    folders = (AttemptFolder(store, f"a{attempt.number}") for attempt in record.attempts)
    return read_curves([lines for part in folders for lines in part.metrics_lines()])


def curves_of(workspace: Workspace, record: RunRecord, snapshot: Snapshot) -> Curves:
    """Return a run's curves to be shown.

    Of an ended run whose files are not in this clone's run store, what the ledger kept of them.
    """
    curves = measured_curves(workspace, record)
    if curves or record.is_active:
        return curves
    kept = snapshot.read(f"{folder(record.run_id)}/metrics.json")
    return kept_curves(kept) if kept else curves
