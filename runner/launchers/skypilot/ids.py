"""How a job of SkyPilot's is written in the ledger.

`job-<number>-<name>` is a managed job, `cluster-<name>-<number>` a job on a cluster that is kept.
The name is the one it was submitted under, which nothing else has. The number alone says nothing: a
server that was replaced at its address gives the same numbers to jobs of others.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_MANAGED = re.compile(r"job-(\d+)-(.+)")
_KEPT = re.compile(r"cluster-(.+)-(\d+)")


class JobId(NamedTuple):
    """A job of SkyPilot's."""

    number: int
    name: str
    """Under which it was submitted; for one on a kept cluster also the cluster's."""
    is_kept: bool = False
    """Whether it is on a cluster of its own that is kept, and no managed job."""

    def __str__(self) -> str:
        number, name = self.number, self.name
        return f"cluster-{name}-{number}" if self.is_kept else f"job-{number}-{name}"


def read_id(text: str) -> JobId | None:
    """Return the job that `text` names, None when it is the name of a submission instead."""
    if managed := _MANAGED.fullmatch(text):
        return JobId(int(managed[1]), managed[2])
    if kept := _KEPT.fullmatch(text):
        return JobId(int(kept[2]), kept[1], is_kept=True)
    return None
