"""What a resumed attempt takes over from those before it, beside the checkpoint itself.

It may have nothing left to train: then all that its evidence can say was measured by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic import ValidationError

from runner.node.channel import METRICS, REWARDS
from runner.node.task import RewardSummary
from runner.store import RunStore

_CHECKPOINT = re.compile(r"a(\d+)/epoch-(\d+)/checkpoints/step-(\d+)")
_METRICS = re.compile(rf"a(\d+)/epoch-(\d+)/{re.escape(METRICS)}")


def earlier_rewards(store: RunStore, checkpoint: str) -> RewardSummary:
    """Return the calls of the reward function that led to `checkpoint`.

    The file beside it counts them all: an attempt that was resumed itself began with those before.
    """
    content = store.get(f"{checkpoint.partition('/checkpoints/')[0]}/{REWARDS}")
    try:
        return RewardSummary.model_validate_json(content) if content else RewardSummary()
    except ValidationError:
        return RewardSummary()


def earlier_metrics(store: RunStore, checkpoint: str) -> dict[str, float]:
    """Return the last value of each canonical metric up to `checkpoint`; a later attempt wins."""
    match = _CHECKPOINT.fullmatch(checkpoint)
    if match is None:
        return {}
    attempt, epoch, step = (int(part) for part in match.groups())
    found = ((_METRICS.fullmatch(name), name) for name in store.list())
    names = sorted(((int(m[1]), int(m[2])), name) for m, name in found if m)
    latest: dict[str, float] = {}
    for _, name in (one for one in names if one[0] <= (attempt, epoch)):
        for values in _rows_until(store.get(name) or b"", step):
            latest.update({key: value for key, value in values.items() if value is not None})
    return latest


def _rows_until(content: bytes, step: int) -> Iterator[dict[str, float | None]]:
    for line in content.decode(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # cut off by a kill
            continue
        if row["step"] <= step:
            yield row["metrics"]
