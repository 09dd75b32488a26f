"""Records and ledgers as the tests of the ledger need them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from runner.git.repository import Repository
from runner.ledger.branch import Ledger, Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import Attempt, RunRecord
from runner.registry import LedgerSettings

LINEAGE = "0123456789abcdef" * 2


def make_attempt(**changes: Any) -> Attempt:
    if changes.get("state") == "ended":
        changes.setdefault("outcome", "succeeded")
    values = {
        "number": 1,
        "state": "claimed",
        "nonce": "nonce",
        "commit": "c" * 40,
        "launcher": "local",
        "endpoint": "here",
        "claimed_at": "2026-01-01T00:00:00Z",
    }
    return Attempt.model_validate({**values, **changes})


def make_record(run: str = "run", *, experiment: str = "x", **changes: Any) -> RunRecord:
    """A record whose id is made from the word `run`, or is `run` where that is one."""
    digest = hashlib.sha256(run.encode()).hexdigest()
    return RunRecord(
        run_id=run if len(run) == 12 else digest[:12],
        identity=digest,
        experiment=experiment,
        seed=0,
        point={},
        trainer="trl==1.0",
        attempts=(make_attempt(**changes),),
    )


def make_ledger(root: Path, lineage: str = LINEAGE, **settings: Any) -> Ledger:
    return Ledger(Repository(root), LedgerSettings(**settings), lineage)


def put(ledger: Ledger, *values: RunRecord | ExperimentEntry) -> Snapshot:
    """Write records and entries in one commit."""

    def step(snapshot: Snapshot) -> Changes:
        draft = Draft(snapshot).put_records(v for v in values if isinstance(v, RunRecord))
        for value in values:
            if isinstance(value, ExperimentEntry):
                draft.put_experiment(value)
        return draft.changes("Put")

    return ledger.transact(step)
