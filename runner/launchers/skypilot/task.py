"""A run as a SkyPilot task: what its API server is asked for, and what a person may launch by hand.

Nothing that a spec says becomes part of a script: `setup` and `run` are the same for every task,
and read what differs from the environment and from task.json. Checked against SkyPilot 0.14.1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from runner.launchers.skypilot.bundle import script
from runner.node import ranks
from runner.node.task import NodeTask
from runner.printable import one_line
from runner.spec.resources import Candidate

RANKS_KEY = ranks.KEY
"""Secret that the ranks of one submission share; made when it is submitted."""
RECOVERY = "EAGER_NEXT_REGION"
"""Every restart gets fresh machines, elsewhere first: SkyPilot's default for preempted jobs."""
LABEL_LENGTH = 63
"""Longest value of a label: Kubernetes and GCP."""

COMMENTS = {
    "workdir": "What every node is sent: the commit's code, task.json, the runner, pinned lists.",
    "resources": "Where it may run.",
    "envs": "What setup and run read; all else that a spec says is in task.json.",
    "secrets": "Names only; whoever submits it gives each a value. Without one it never starts.",
    "volumes": "Kept between runs: environments, downloaded models.",
    "api_server_access": "A node gets no credentials of SkyPilot.",
    "setup": "Pinned environments, made once and kept in $ROLLBOOK_CACHE.",
    "run": "The node program, on every node; its exit code tells the truth.",
}
"""What a reader is told of a part of the task."""
_NO_NOTES: Mapping[str, Sequence[str]] = {}


def sky_task(task: NodeTask, workdir: Path) -> dict[str, Any]:
    """Return the task that SkyPilot is given for `task`, whose bundle is the folder `workdir`."""
    resources = task.spec.resources
    config = {
        "name": task.job,
        "num_nodes": resources.nodes,
        "workdir": str(workdir),
        "resources": _resources(task),
        "envs": _variables(task),
        "secrets": dict.fromkeys(secret_names(task)),
        "volumes": _volumes(open_candidates(task)),
        "api_server_access": False,
        "setup": script("setup.sh"),
        "run": script("run.sh"),
    }
    return {key: value for key, value in config.items() if value != {}}


def open_candidates(task: NodeTask) -> tuple[Candidate, ...]:
    """Return the places where `task` may run, in order; none when SkyPilot may choose."""
    return task.spec.resources.candidates[: task.candidates]


def secret_names(task: NodeTask) -> tuple[str, ...]:
    """Return the names of the variables whose values travel as SkyPilot's secrets."""
    shared = (RANKS_KEY,) if task.spec.resources.nodes > 1 else ()
    return tuple(dict.fromkeys((*task.spec.secrets, *task.node_variables, *shared)))


def labels(task: NodeTask) -> dict[str, str]:
    """Return what tells the machines of `task` from others, as labels of every cloud may be."""
    said = {
        "rollbook-run": task.run_id,
        "rollbook-attempt": task.attempt,
        "rollbook-experiment": task.experiment,
        "rollbook-owner": task.spec.owner or "",
        "rollbook-commit": task.commit[:12],
    }
    return {key: label(value) for key, value in said.items() if value}


def label(text: str) -> str:
    """Return `text` as GCP, Kubernetes and AWS all take a label's value.

    Lower-case letters, digits, `-` and `_`, a letter or digit at both ends, at most 63 characters;
    what does not fit is cut off, and a digest of the whole stands for it.
    """
    plain = re.sub(r"[^a-z0-9_-]", "_", text.lower()).strip("_-")
    if len(plain) <= LABEL_LENGTH:
        return plain
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{plain[: LABEL_LENGTH - 9].rstrip('_-')}-{digest}"


def _resources(task: NodeTask) -> dict[str, Any]:
    """Return `resources`: one place plainly, several as `ordered`, what they share above."""
    shared, candidates = _shared(task), [_place(one) for one in open_candidates(task)]
    if len(candidates) == 1:
        return {**candidates[0], **shared}
    return {"ordered": candidates, **shared} if candidates else shared


def _place(candidate: Candidate) -> dict[str, Any]:
    place: dict[str, Any] = {"infra": candidate.infra, "use_spot": candidate.spot}
    if candidate.max_usd_per_hour is not None:
        place["max_hourly_cost"] = candidate.max_usd_per_hour
    return place


def _shared(task: NodeTask) -> dict[str, Any]:
    """Return what is asked of each node, wherever it is."""
    resources = task.spec.resources
    asked = {
        "accelerators": resources.accelerators,
        "cpus": _at_least(resources.cpus),
        "memory": _at_least(resources.memory_gib),
        "disk_size": resources.disk_gib,
        "image_id": f"docker:{task.image}" if task.image else None,
        "network_tier": resources.network,
        "priority": resources.priority,
        "labels": labels(task),
        **_ending(task),
    }
    return {key: value for key, value in asked.items() if value is not None}


def _at_least(number: int | None) -> str | None:
    return f"{number}+" if number else None


def _ending(task: NodeTask) -> dict[str, Any]:
    """Return what becomes of the machines: recovered for a job, kept a while for a cluster."""
    resources = task.spec.resources
    if resources.keep_cluster is not None:
        minutes = -(-resources.keep_cluster // 60)
        return {"autostop": {"idle_minutes": minutes, "down": True}}
    restarts = resources.recover.errors
    return {"job_recovery": {"strategy": RECOVERY, "max_restarts_on_errors": restarts}}


def _variables(task: NodeTask) -> dict[str, str]:
    pin = task.spec.pin
    caches = (one.cache for one in open_candidates(task) if one.cache)
    return {
        "ROLLBOOK_BUNDLE": task.job,
        "ROLLBOOK_CACHES": ":".join(dict.fromkeys(caches)),
        "ROLLBOOK_TRAINING": "image" if task.image else "lock" if task.lock else "none",
        "ROLLBOOK_TRAINER": "" if pin.name == "script" else pin.name,
        "ROLLBOOK_TORCH": "" if task.spec.resources.accelerators else "cpu",
    }


def _volumes(candidates: tuple[Candidate, ...]) -> dict[str, str]:
    """Return the volume to mount: the one of all open places, since SkyPilot mounts it at all."""
    named = {(one.cache, one.volume) for one in candidates}
    if len(named) != 1:
        return {}
    cache, volume = named.pop()
    return {cache: volume} if cache and volume else {}


def as_yaml(config: Mapping[str, Any], notes: Mapping[str, Sequence[str]] = _NO_NOTES) -> str:
    """Return a task as the YAML that people read and `sky jobs launch` takes.

    `notes` are further lines of comment, by the key above which they stand.
    """
    parts = []
    for key, value in config.items():
        lines = [*((COMMENTS[key],) if key in COMMENTS else ()), *notes.get(key, ())]
        comment = "".join(f"# {one_line(line)}\n" for line in lines)
        parts.append(comment + yaml.dump({key: value}, Dumper=_Dumper, **_LAYOUT))
    return "\n".join(parts)


_LAYOUT: dict[str, Any] = {"sort_keys": False, "width": 100, "allow_unicode": True}


class _Dumper(yaml.SafeDumper):
    """Writes scripts as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
