"""How a job of SkyPilot's is written in the ledger.

`job-<number>` is a managed job, `cluster-<name>-<number>` a job on a cluster that is kept.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WRITTEN = re.compile(r"job-(?P<managed>\d+)|cluster-(?P<cluster>.+)-(?P<number>\d+)")


class JobId(NamedTuple):
    """A job of SkyPilot's."""

    number: int
    cluster: str = ""
    """The cluster that is kept for it; empty for a managed job."""

    def __str__(self) -> str:
        return f"cluster-{self.cluster}-{self.number}" if self.cluster else f"job-{self.number}"


def read_id(text: str) -> JobId | None:
    """Return the job that `text` names, None when it is the name of a submission instead."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    if found["managed"]:
        return JobId(int(found["managed"]))
    return JobId(int(found["number"]), found["cluster"])
