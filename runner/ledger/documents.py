"""The documents beside a run's record: its resolved spec and the payload of its identity."""

from __future__ import annotations

import json
from typing import Any

from runner.ledger.record import folder, ledger_json
from runner.ledger.snapshot import Snapshot
from runner.spec.experiment import Experiment
from runner.spec.section import RECORDED

SPEC = "spec.json"
IDENTITY = "identity.json"
METRICS = "metrics.json"
"""The curves of an ended run: see `runner.report.pages`."""


def spec_path(run_id: str) -> str:
    """Return where the run's resolved spec is on the ledger branch."""
    return f"{folder(run_id)}/{SPEC}"


def identity_payload(snapshot: Snapshot, run_id: str) -> dict[str, Any]:
    """Return what the run's identity was made of; empty when the ledger does not say."""
    return _document(snapshot, run_id, IDENTITY)


def resolved_spec(snapshot: Snapshot, run_id: str) -> dict[str, Any]:
    """Return the run's spec with all defaults; empty when the ledger does not say."""
    return _document(snapshot, run_id, SPEC)


def experiment_of(snapshot: Snapshot, run_id: str) -> Experiment:
    """Return the run's spec as it was when it was launched.

    Keys that the format has lost since are passed over: records outlive versions of the runner.
    """
    path = f"{folder(run_id)}/{SPEC}"
    return snapshot.parsed(path, snapshot.read(path) or b"{}", _experiment)


def _experiment(content: bytes) -> Experiment:
    return Experiment.model_validate(json.loads(content), extra="ignore", context=RECORDED)


def run_documents(run_id: str, spec: Experiment, payload: dict[str, Any]) -> dict[str, bytes]:
    """Return the files that a claim puts beside the record."""
    dumped = spec.model_dump(mode="json", by_alias=True)
    return {
        f"{folder(run_id)}/{SPEC}": ledger_json(dumped),
        f"{folder(run_id)}/{IDENTITY}": ledger_json(payload),
    }


def _document(snapshot: Snapshot, run_id: str, name: str) -> dict[str, Any]:
    path = f"{folder(run_id)}/{name}"
    return snapshot.parsed(path, snapshot.read(path) or b"{}", _mapping)


def _mapping(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("it is no mapping")
    return found
