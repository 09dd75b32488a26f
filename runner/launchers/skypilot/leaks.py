"""Jobs and clusters at the API server that no record of the ledger explains.

Ours are told by their names, `r<run id>-<attempt>-<nonce>`, which nothing else is called; a
record explains the names of what goes on, and of what its spec keeps.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from runner.launchers.base import Found, Leak
from runner.launchers.skypilot.client import Client
from runner.launchers.skypilot.managed import has_ended, left_over, remove

OURS = re.compile(r"r[0-9a-f]{12}-(a\d+|r\d+|try)-[0-9a-f]{8}")


def find_leaks(client: Client, explained: Collection[str]) -> Found:
    """Return what is there under all users that is not `explained`, by names as submitted.

    Raises OutsideError when the server does not answer.
    """
    going = [job for job in client.jobs() if not has_ended(job) or job.has_machines]
    kept = client.clusters()
    jobs = (
        Leak(f"{left_over(job)}{_kind(job.name)}", job.name, remove(job))
        for job in going
        if _is_leak(job.name, explained)
    )
    clusters = (
        Leak(f"cluster {name} is {cluster.status}", name, f"sky down {name}")
        for name, cluster in kept.items()
        if _is_leak(name, explained)
    )
    names = (*(job.name for job in going), *kept)
    strangers = sum(not OURS.fullmatch(name) for name in names)
    return Found((*jobs, *clusters), strangers)


def _kind(name: str) -> str:
    return " (a trial: somebody may be at it)" if "-try-" in name else ""


def _is_leak(name: str, explained: Collection[str]) -> bool:
    return bool(OURS.fullmatch(name)) and name not in explained
