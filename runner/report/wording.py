"""How facts are put in words, the same in plans, statuses, pages and errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.ledger.record import Attempt
from runner.ledger.standing import Standing
from runner.spec.identity import Change

_INPUTS = {
    "inputs.train": "training data",
    "inputs.model": "model",
    "inputs.environment": "environment",
    "inputs.upstream": "source run",
    "gpus_per_node": "GPUs per node",
}


def value(content: Any) -> str:
    """Return a value of a spec as people write it; digests are cut short."""
    if content is None:
        return "none"
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, float):
        return f"{content:.12g}"
    text = str(content)
    kind, colon, digest = text.partition(":")
    if colon and kind in ("git", "md5", "sha256", "git-folder"):
        return f"{kind}:{digest[:8]}"
    return text


def changed_fields(changes: Iterable[Change], limit: int = 3) -> str:
    """Return `learning_rate 1e-06 → 5e-07` for the first changes that bear identity."""
    bearing = [change for change in changes if change.bears_identity]
    parts = [
        f"{name(change.field)} {value(change.old)} → {value(change.new)}" for change in bearing
    ]
    more = [f"{len(parts) - limit} more"] if len(parts) > limit else []
    return ", ".join(parts[:limit] + more)


def name(field: str) -> str:
    """Return a field as people call it: inputs by what they are, settings by their last part."""
    if field.startswith("inputs.code."):
        return field.removeprefix("inputs.code.")
    if field in _INPUTS:
        return _INPUTS[field]
    if field.startswith("inputs.val."):
        return f"validation set {field.removeprefix('inputs.val.')}"
    return field.rpartition(".")[2]


def progress(attempt: Attempt) -> str:
    """Return how far an attempt has come, and what it has cost where that is known."""
    total = f" of {attempt.steps}" if attempt.steps else ""
    cost = f", ${attempt.cost_usd:.2f} spent" if attempt.cost_usd else ""
    return f"{attempt.state} at step {attempt.step}{total}{cost}"


def kept(run_id: str, standing: Standing, experiment: str) -> str:
    """Return why a run that the ledger knows is kept."""
    told = standing.state if standing.state != "ended" else f"{standing.outcome}"
    when = f" {standing.ended_at[:10]}" if standing.ended_at else ""
    renamed = f" as {standing.experiment}" if standing.experiment != experiment else ""
    cure = "" if standing.outcome in (None, "succeeded") else f"; runner retry {run_id}"
    return f"{told}{when}{renamed}{cure}"
