"""Runs of a generated registry that go on: their records, and what their nodes leave behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from benchmarks.counting import CountingLauncher
from benchmarks.history import stay, written
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import Attempt, RunRecord, Stay, now
from runner.node.channel import EVIDENCE, HEARTBEAT, METRICS, RESULT
from runner.node.task import Evidence, Result
from runner.node.whereabouts import WHERE
from runner.storage.runfolder import open_run_store
from runner.workspace import Workspace

FAILED = Evidence(
    exit_code=1,
    last_step=100,
    steps=400,
    metrics={"reward/mean": 0.1},
    reward=None,
    checkpoint_md5=None,
    checkpoint_step=None,
    log_tail=("torch.OutOfMemoryError: CUDA out of memory.",),
    environment={"python": "3.11.9"},
    seconds=6700.0,
    peak_memory_bytes=2**36,
)


def set_running(workspace: Workspace, runs: int) -> list[RunRecord]:
    """Give so many ended runs another attempt, which trains; return their records."""
    found: list[RunRecord] = []

    def step(snapshot: Snapshot) -> Changes:
        names = list(snapshot.experiments().values())[:runs]
        records = snapshot.records(entry.runs[0] for entry in names)
        found[:] = [_running(record, workspace.repository.head()) for record in records.values()]
        return Draft(snapshot).put_records(found).changes(f"{runs} runs go on")

    workspace.ledger.transact(step)
    return found


def _running(record: RunRecord, commit: str) -> RunRecord:
    begin = written(datetime.now(UTC) - timedelta(hours=2))
    number = record.latest.number + 1
    attempt = Attempt(
        number=number,
        state="running",
        nonce=f"{number}{record.run_id}",
        commit=commit,
        launcher=CountingLauncher.name,
        endpoint=CountingLauncher().endpoint(),
        job=f"job-{record.run_id}-{number}",
        claimed_at=begin,
        started_at=begin,
        where="gcp/us-central1",
        gpus=8,
        gpu_hours=46.8,
        usd=191.41,
        stays=(Stay.model_validate(stay(600.0, 10)),),
        steps=400,
    )
    return record.with_next(attempt)


def put_heartbeats(workspace: Workspace, records: Sequence[RunRecord], step: int = 100) -> None:
    """Put into the run store what the nodes of runs that train have left there."""
    beat = {"time": now(), "phase": "training", "step": step, "steps": 400, "seconds": 6600.0}
    where = {"where": "gcp/us-central1", "spot": False, "nodes": 1, "started_at": now()}
    lines = "".join(
        f'{{"step": {n}, "metrics": {{"reward/mean": 0.{n:03}}}}}\n' for n in range(step)
    )
    for record in records:
        store = open_run_store(workspace, record.run_id)
        prefix = f"a{record.latest.number}/epoch-1"
        store.put(f"{prefix}/{HEARTBEAT}", json.dumps(beat).encode())
        store.put(f"{prefix}/{WHERE}", json.dumps(where).encode())
        store.put(f"{prefix}/{METRICS}", lines.encode())


def put_results(workspace: Workspace, records: Sequence[RunRecord]) -> None:
    """Put into the run store that runs have ended, each with its evidence."""
    for record in records:
        store = open_run_store(workspace, record.run_id)
        prefix = f"a{record.latest.number}/epoch-1"
        store.put(f"{prefix}/{EVIDENCE}", FAILED.model_dump_json().encode())
        store.put(f"{prefix}/{RESULT}", Result(exit_code=5).model_dump_json().encode())
