"""Places as SkyPilot writes them in `infra`: a cloud, then region or cluster, then zone.

`gcp/us-central1/us-central1-a`, `k8s/<context>`, `slurm/<cluster>/<partition>`; `*` stands for any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

CLUSTER_INFO = "SKYPILOT_CLUSTER_INFO"
"""What SkyPilot tells a job of its place: {"cloud", "region", "zone", "cluster_name"}."""
_NAMES = {"kubernetes": "k8s"}


def write_infra(cloud: str, region: str | None = None, zone: str | None = None) -> str:
    """Return a place as `infra` has it, such as `k8s/pool` for Kubernetes and its context."""
    name = cloud.lower()
    return "/".join(part for part in (_NAMES.get(name, name), region, zone) if part)


def place_of(environment: Mapping[str, str]) -> str:
    """Return where SkyPilot runs the job of `environment`; empty where it is none of SkyPilot's."""
    try:
        told = json.loads(environment[CLUSTER_INFO])
        return write_infra(str(told["cloud"]), told.get("region"), told.get("zone"))
    except (KeyError, ValueError, TypeError, AttributeError):
        return ""


def is_within(place: str, infra: str) -> bool:
    """Whether `place` is `infra` or a part of it: `gcp/us-central1` is within `gcp`."""
    if not place or not infra:
        return False
    parts, wanted = parts_of(place), parts_of(infra)
    alike = (want in ("*", part) for want, part in zip(wanted, parts, strict=False))
    return len(wanted) <= len(parts) and all(alike)


def parts_of(infra: str) -> list[str]:
    """Return a place's cloud, as `infra` names it, and what follows."""
    cloud, *rest = infra.split("/")
    return [_NAMES.get(cloud.lower(), cloud.lower()), *rest]
