"""Runs made of formulas: no trainer stands behind any number here."""

from __future__ import annotations

import json
from typing import Any

from runner.ledger.record import Attempt, RunRecord
from runner.node.task import Evidence
from runner.report.curves import Curves, read_curves
from runner.report.judge import judge, judge_expectations
from runner.report.sections import RunReport
from runner.spec.experiment import Experiment

STEPS = 20

SPEC: dict[str, Any] = {
    "apiVersion": "rollbook/v1",
    "trainer": "verl==0.9.1",
    "model": {"path": "models/tiny", "source": "path"},
    "algorithm": {"name": "grpo", "group_size": 4},
    "data": {"train": "data/train.jsonl", "val": {"sums": "data/val.jsonl"}},
    "reward": "reward/arithmetic.py:compute_score",
    "training": {
        "steps": STEPS,
        "prompts_per_step": 8,
        "learning_rate": 1e-3,
        "save_every": 10,
        "evaluate_every": 5,
    },
    "seeds": [1, 2, 3],
    "expect": [
        {"val/sums/accuracy": "last - first >= 0.2"},
        {"kl/reference": "max < 0.2"},
    ],
}

EVIDENCE: dict[str, Any] = {
    "exit_code": 0,
    "last_step": STEPS,
    "steps": STEPS,
    "metrics": {"reward/mean": 0.5},
    "reward": {
        "calls": 640,
        "failures": 0,
        "lowest": 0.0,
        "highest": 1.0,
        "sha256": "a" * 64,
    },
    "checkpoint_md5": "0" * 28 + ".dir",
    "checkpoint_step": STEPS,
    "inputs": ({"path": "data/train.jsonl", "md5": "1" * 32},),
    "log_tail": (),
    "environment": {"verl": "0.9.1", "python": "3.11"},
    "seconds": 125.0,
    "peak_memory_bytes": 3 * 2**30,
}


def make_spec(**changes: Any) -> Experiment:
    return Experiment.model_validate({**SPEC, **changes})


def make_evidence(**changes: Any) -> Evidence:
    return Evidence.model_validate({**EVIDENCE, **changes})


def make_lines(seed: int = 1, steps: int = STEPS) -> list[str]:
    """Lines of metrics.jsonl: an accuracy that rises towards 0.9, a little apart for each seed."""
    rows = []
    for step in range(steps + 1):
        share, wiggle = step / steps, ((step * 7 + seed * 3) % 5 - 2) / 100
        metrics = {"val/sums/accuracy": 0.4 + 0.5 * share + seed / 1000} if step % 5 == 0 else {}
        if step:
            metrics |= {
                "reward/mean": 0.3 + 0.5 * share + wiggle,
                "policy/entropy": 2 - share + wiggle,
                "kl/reference": 0.1 * share,
                "response/length": 12 + 4 * share + 10 * wiggle,
                "gradient/norm": 0.5 + wiggle,
                "time/step": 6 + wiggle,
            }
        rows.append(
            {"step": step, "time": 6.0 * step, "metrics": metrics, "raw": {"actor/lr": 1e-3}}
        )
    return [json.dumps(row) for row in rows]


def make_curves(seed: int = 1, steps: int = STEPS) -> Curves:
    return read_curves([make_lines(seed, steps)])


def make_report(seed: int = 1, steps: int = STEPS, **evidence: Any) -> RunReport:
    """A run judged from its evidence, as `sync` records it."""
    spec, found, curves = make_spec(), make_evidence(**evidence), make_curves(seed, steps)
    ending = judge(spec, found, curves)
    md5 = found.checkpoint_md5
    attempt = Attempt(
        number=1,
        state="ended",
        outcome=ending.outcome,
        reason=ending.reason,
        cure=ending.cure,
        nonce="n",
        commit="c" * 40,
        launcher="local",
        endpoint="e",
        job="1",
        claimed_at="2026-01-02T03:04:05Z",
        started_at="2026-01-02T03:04:06Z",
        ended_at="2026-01-02T03:06:11Z",
        step=found.last_step,
        steps=found.steps,
        metrics=curves.final(),
        judgements=judge_expectations(spec, curves) if ending.outcome == "succeeded" else (),
        checkpoint=f"md5:{md5}" if md5 else None,
    )
    record = RunRecord(
        run_id=f"{seed:012x}",
        identity="0" * 64,
        experiment="sums/grpo",
        seed=seed,
        point={},
        trainer=spec.trainer,
        attempts=(attempt,),
    )
    return RunReport(record, spec, curves, found)


FAILED: dict[str, Any] = {
    "exit_code": 1,
    "last_step": 7,
    "checkpoint_md5": None,
    "checkpoint_step": None,
    "log_tail": (
        "\x1b[36m(TaskRunner pid=812)\x1b[0m torch.OutOfMemoryError: CUDA out of memory. "
        "Tried to allocate 2.00 GiB",
        "ray.exceptions.ActorDiedError: The actor died unexpectedly",
    ),
}
