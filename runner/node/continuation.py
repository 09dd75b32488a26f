"""What a resumed attempt takes over from those before it, and from its own earlier starts.

It may have nothing left to train: then all that its evidence can say was measured by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic import ValidationError

from runner.node.channel import METRICS, REWARDS
from runner.node.checkpoints import is_kin, newest_complete
from runner.node.task import NodeTask, RewardSummary
from runner.node.whereabouts import last_step_of
from runner.storage.store import RunStore

_CHECKPOINT = re.compile(r"([ar]\d+)/epoch-(\d+)/checkpoints/step-(\d+)")
_METRICS = re.compile(rf"([ar]\d+)/epoch-(\d+)/{re.escape(METRICS)}")


def continued(task: NodeTask, store: RunStore, epoch: int) -> NodeTask:
    """Return `task` as the start with the lease's `epoch` has to take it up.

    A recovered one goes on from the newest complete checkpoint, its own earlier ones included.
    """
    if epoch == 1:
        return task
    newest = newest_complete(store, task.attempt)
    return task.model_copy(update={"resume": newest or task.resume})


def lost_steps(store: RunStore, attempt: str, epoch: int, first_step: int) -> int:
    """Return the steps that the start before `epoch` trained beyond `first_step`, to be redone."""
    if epoch == 1:
        return 0
    return max(0, last_step_of(store, f"{attempt}/epoch-{epoch - 1}") - first_step)


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
    label, last, step = match[1], _start(match), int(match[3])
    found = ((_METRICS.fullmatch(name), name) for name in store.list())
    names = sorted((_start(m), name) for m, name in found if m and is_kin(m[1], label))
    latest: dict[str, float] = {}
    for _, name in (one for one in names if one[0] <= last):
        for values in _rows_until(store.get(name) or b"", step):
            latest.update({key: value for key, value in values.items() if value is not None})
    return latest


def _start(match: re.Match[str]) -> tuple[int, int]:
    """Return attempt and epoch, by which the earlier of two starts is told."""
    return int(match[1][1:]), int(match[2])


def _rows_until(content: bytes, step: int) -> Iterator[dict[str, float | None]]:
    for line in content.decode(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # cut off by a kill
            continue
        if row["step"] <= step:
            yield row["metrics"]
