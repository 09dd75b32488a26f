"""Where each start of an attempt is, as its node says it: `epoch-<n>/where.json` in the run store.

Read back with the heartbeats they make the attempt's `Stay`s: how long it was where, from which
step to which, and what had to be trained again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from runner.ledger.record import Stay, now
from runner.node.channel import HEARTBEAT, METRICS
from runner.node.task import NodeTask
from runner.spec.infra import is_within, place_of
from runner.spec.section import Section
from runner.storage.store import RunStore

WHERE = "where.json"
_EPOCH = re.compile(r"epoch-(\d+)")


class Whereabouts(Section):
    """Where one start of an attempt is, and from where on it trains."""

    where: str
    """As SkyPilot writes `infra`; `local` on a machine that no SkyPilot has given."""
    spot: bool = False
    """Whether every open candidate there is preemptible; a doubt counts as the dearer."""
    nodes: int = 1
    started_at: str
    first_step: int = 0
    """Step of the checkpoint that it continues from; 0 from the start."""
    lost_steps: int = 0
    """Steps that the start before it had trained beyond that checkpoint."""
    wandb: str = Field(default="", pattern=r"^(https?://[A-Za-z0-9.:-]+/[A-Za-z0-9._~%/-]+)?$")
    """Address of its run at Weights & Biases; empty while that is offline."""


def whereabouts(task: NodeTask, environment: Mapping[str, str]) -> Whereabouts:
    """Return where this node is, by what SkyPilot says in `environment`."""
    place = place_of(environment) or "local"
    return Whereabouts(
        where=place,
        spot=_is_spot(task, place),
        nodes=task.spec.resources.nodes,
        started_at=now(),
    )


def _is_spot(task: NodeTask, place: str) -> bool:
    open_ones = task.spec.resources.candidates[: task.candidates]
    fitting = [one.spot for one in open_ones if is_within(place, one.infra)]
    return bool(fitting) and all(fitting)


def epochs(store: RunStore, attempt: str) -> list[int]:
    """Return the epochs of an attempt that have left something in `store`, in their order."""
    parts = (name.split("/")[1] for name in store.list(attempt) if name.count("/") > 1)
    return sorted({int(match[1]) for part in parts if (match := _EPOCH.fullmatch(part))})


def read_whereabouts(store: RunStore, attempt: str, epoch: int) -> Whereabouts | None:
    """Return where one epoch of an attempt was; None where nobody can tell any more."""
    content = store.get(f"{attempt}/epoch-{epoch}/{WHERE}")
    try:
        return Whereabouts.model_validate_json(content) if content else None
    except ValidationError:
        return None


def stays(store: RunStore, attempt: str) -> tuple[Stay, ...]:
    """Return where an attempt has been so far, from the start of each of its node programs."""
    found = ((n, read_whereabouts(store, attempt, n)) for n in epochs(store, attempt))
    return tuple(_stay(store, f"{attempt}/epoch-{n}", one) for n, one in found if one)


def _stay(store: RunStore, prefix: str, whereabouts: Whereabouts) -> Stay:
    beat = read_json(store, f"{prefix}/{HEARTBEAT}")
    return Stay(
        where=whereabouts.where,
        spot=whereabouts.spot,
        nodes=whereabouts.nodes,
        seconds=float(beat.get("seconds", 0.0)),
        first_step=whereabouts.first_step,
        last_step=max(int(beat.get("step", 0)), whereabouts.first_step),
    )


def last_step_of(store: RunStore, prefix: str) -> int:
    """Return the last step that the epoch at `prefix` has told of; 0 for none."""
    beat = read_json(store, f"{prefix}/{HEARTBEAT}")
    lines = (store.get(f"{prefix}/{METRICS}") or b"").splitlines()
    measured = (_step(line) for line in reversed(lines))
    last = next((step for step in measured if step is not None), 0)
    return max(last, int(beat.get("step", 0)))


def _step(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut off by a kill
        return None


def read_json(store: RunStore, name: str) -> dict[str, Any]:
    """Return a JSON file's content; empty where there is none that can be read."""
    content = store.get(name)
    try:
        return dict(json.loads(content)) if content else {}
    except (ValueError, TypeError):
        return {}
