"""A year of runs on the ledger of a generated registry, written by the product itself.

`claim` of `runner.apply` claims what its plan launches, with a launcher that starts nothing. Then
the attempts end, as a `Draft` records it: of 20 one fails, of 50 one succeeds when it is retried.
What starts from another run is claimed once that has ended. Then `runner plan` keeps them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.counting import CountingLauncher
from benchmarks.large import is_upstream
from runner.apply import claim
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import Attempt, Judgement, RunRecord, Stay, advance
from runner.ledger.spending import spending_files
from runner.workspace import Workspace, open_workspace

BATCH = 500
"""Runs of one commit."""
BEGIN = datetime(2025, 11, 3, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
_AS_WRITTEN = "%Y-%m-%dT%H:%M:%SZ"
PACKAGES = ("verl", "torch", "vllm", "ray", "transformers", "accelerate", "numpy", "wandb")


def write_history(root: Path) -> None:
    """Make the ledger of the registry at `root`, with an ended run of each point of each spec."""
    workspace = open_workspace(root)
    workspace.ledger.create()
    for _ in ("what starts from a hub's model", "what starts from the run of another"):
        _claim_all(workspace)
        _end_all(workspace)
    _spread_spending(workspace)


def _claim_all(workspace: Workspace) -> None:
    launcher: Any = CountingLauncher()
    claim(workspace, launcher, workspace.repository.head())


def _end_all(workspace: Workspace) -> None:
    active = list(workspace.ledger.snapshot().active())
    for start in range(0, len(active), BATCH):
        _end(workspace, active[start : start + BATCH])


def _end(workspace: Workspace, run_ids: Sequence[str]) -> None:
    def step(snapshot: Snapshot) -> Changes:
        records = [ended(record) for record in snapshot.records(run_ids).values()]
        return Draft(snapshot).put_records(records).changes(f"{len(records)} runs ended")

    workspace.ledger.transact(step)


def ended(record: RunRecord) -> RunRecord:
    """Return a claimed run as it was when it had ended, the moment made from its id."""
    number = int(record.run_id, 16)
    begin = BEGIN + YEAR * (number % 100_000 / 100_000)
    if number % 20 == 0 and not is_upstream(record.experiment):
        return record.with_latest(_failed(record.latest, begin))
    if number % 50 == 1:
        first = record.with_latest(_failed(record.latest, begin))
        again = record.latest.model_copy(update={"number": 2, "nonce": f"{number:x}"})
        begin += timedelta(hours=20)
        return first.with_next(_succeeded(again, record, begin))
    return record.with_latest(_succeeded(record.latest, record, begin))


def _failed(attempt: Attempt, begin: datetime) -> Attempt:
    return advance(
        _at(attempt, begin),
        "ended",
        outcome="failed",
        reason="its trainer exited with code 1 at step 137 of 400: CUDA out of memory",
        cure="lower rollout.gpu_memory, or training.tokens_per_gpu; then runner retry",
        ended_at=written(begin + timedelta(hours=3)),
        started_at=written(begin + timedelta(minutes=9)),
        step=137,
        steps=400,
        stays=[stay(3 * 3600.0, 137)],
        cost_usd=53.76,
        metrics={"reward/mean": 0.31, "time/step": 61.2},
        environment=_environment(),
    )


def _succeeded(attempt: Attempt, record: RunRecord, begin: datetime) -> Attempt:
    digest = hashlib.sha256(record.run_id.encode()).digest()
    accuracy = 0.4 + digest[0] / 1000
    expected = Judgement(
        metric="val/gsm8k/accuracy", condition="last >= 0.5", value=accuracy,
        verdict="pass" if accuracy >= 0.5 else "fail",
    )  # fmt: skip
    return advance(
        _at(attempt, begin),
        "ended",
        outcome="succeeded",
        ended_at=written(begin + timedelta(hours=7, seconds=digest[1])),
        started_at=written(begin + timedelta(minutes=9)),
        step=400,
        steps=400,
        stays=[stay(7 * 3600.0, 400)],
        cost_usd=round(125.44 + digest[1] / 100, 2),
        metrics=_metrics(accuracy, digest),
        judgements=[expected],
        checkpoint=f"md5:{digest[:16].hex()}.dir",
        wandb=f"https://wandb.ai/team/project/runs/{record.run_id}",
        environment=_environment(),
    )


def _at(attempt: Attempt, begin: datetime) -> Attempt:
    job = f"{attempt.nonce}-job"
    return attempt.model_copy(update={"claimed_at": written(begin), "job": job})


def written(moment: datetime) -> str:
    """Return a moment as the ledger writes it."""
    return moment.strftime(_AS_WRITTEN)


def stay(seconds: float, last_step: int) -> dict[str, Any]:
    """Return a stretch on one rented machine."""
    usd = round(seconds * 17.92 / 3600, 2)
    stay = Stay(
        where="gcp/us-central1", seconds=seconds, usd=usd, first_step=1, last_step=last_step
    )
    return stay.model_dump()


def _metrics(accuracy: float, digest: bytes) -> dict[str, float]:
    """The metrics of a GRPO run, with as many digits as a trainer writes."""
    return {
        "val/gsm8k/accuracy": accuracy,
        **{name: digest[2 + n] / 257 * scale for n, (name, scale) in enumerate(_SCALES.items())},
    }


_SCALES = {
    "reward/mean": 1.0,
    "reward/max": 1.0,
    "reward/min": 0.1,
    "policy/loss": 0.01,
    "policy/clip_fraction": 0.01,
    "policy/entropy": 0.5,
    "kl/reference": 0.05,
    "kl/old_policy": 0.001,
    "advantage/mean": 0.1,
    "response/length": 800.0,
    "response/clip_ratio": 0.1,
    "prompt/length": 200.0,
    "gradient/norm": 0.6,
    "learning_rate": 1e-6,
    "throughput/tokens_per_second": 9000.0,
    "time/step": 70.0,
    "time/generation": 40.0,
    "time/update": 25.0,
}


def _environment() -> dict[str, str]:
    versions = {name: f"{len(name)}.1.0" for name in PACKAGES}
    platform = "Linux-6.8.0-1015-gcp-x86_64-with-glibc2.35"
    return {**versions, "python": "3.11.9", "platform": platform, "gpus": "8 x NVIDIA H100 80GB"}


def _spread_spending(workspace: Workspace) -> None:
    """Write each attempt into the month of its claim: all were claimed in the present one."""

    def step(snapshot: Snapshot) -> Changes:
        ids = [run_id for entry in snapshot.experiments().values() for run_id in entry.history]
        files = spending_files(Snapshot(workspace.repository, None), snapshot.records(ids).values())
        draft = Draft(snapshot)
        present = {f"spending/{name}": None for name in snapshot.names("spending")}
        for path, content in {**present, **files}.items():
            draft.put(path, content)
        return draft.changes("Spending by month")

    workspace.ledger.transact(step)
