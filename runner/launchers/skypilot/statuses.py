"""What every status of SkyPilot's means here, as data.

Source: ManagedJobStatus in sky/jobs/state.py, JobStatus in sky/skylet/job_lib.py and ClusterStatus
in sky/utils/status_lib.py, SkyPilot 0.14.1. A test holds the tables to those enumerations.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from runner.launchers.base import JobState

Outcome = Literal["cancelled", "no_capacity", "failed"]


class Meaning(NamedTuple):
    """One status, in our words."""

    state: JobState
    says: str
    """For people; empty where the state says it all."""
    outcome: Outcome | None = None
    """What is known of an end that the node could not tell."""
    is_queued: bool = False
    """Whether SkyPilot tries no place for it yet."""


MANAGED_JOB: dict[str, Meaning] = {
    "PENDING": Meaning("waiting", "waiting for"),  # between two tries; else QUEUED
    "SUBMITTED": Meaning("waiting", "waiting for"),  # of former versions
    "STARTING": Meaning("waiting", "waiting for"),
    "RUNNING": Meaning("running", ""),
    "WINDING_DOWN": Meaning("running", "ending"),
    "RECOVERING": Meaning("waiting", "its machines are gone; waiting again for"),
    "CANCELLING": Meaning("running", "being cancelled; its machines are being given back"),
    "SUCCEEDED": Meaning("ended", ""),
    "CANCELLED": Meaning("ended", "cancelled in SkyPilot", "cancelled"),
    "FAILED": Meaning("ended", "its program failed", "failed"),
    "FAILED_SETUP": Meaning("ended", "its setup failed, before its program was started", "failed"),
    "FAILED_PRECHECKS": Meaning("ended", "SkyPilot cannot run it anywhere as it is", "failed"),
    "FAILED_NO_RESOURCE": Meaning("ended", "no capacity in any place it may use", "no_capacity"),
    "FAILED_CONTROLLER": Meaning("ended", "SkyPilot itself failed at it", "failed"),
}
"""Managed jobs. Where `says` ends with `for`, what it waits for follows."""

QUEUED = Meaning("waiting", "waiting in SkyPilot's own queue", is_queued=True)
"""A managed job that is PENDING and has never been STARTING: SkyPilot brings up only so many at
once. `submitted_at` is set as it becomes STARTING and stays when it is PENDING again, which it is
between two tries for machines (set_starting_async and set_backoff_pending_async in
sky/jobs/state.py). A turn that it waits for between two tries cannot be told from the pause."""

CLUSTER_JOB: dict[str, Meaning] = {
    "INIT": Meaning("waiting", "waiting for its turn on its cluster", is_queued=True),
    "PENDING": Meaning("waiting", "waiting for its turn on its cluster", is_queued=True),
    "SETTING_UP": Meaning("running", "setting up"),
    "RUNNING": Meaning("running", ""),
    "FAILED_DRIVER": Meaning("ended", "SkyPilot's own process on its cluster died", "failed"),
    "SUCCEEDED": Meaning("ended", ""),
    "FAILED": Meaning("ended", "its program failed", "failed"),
    "FAILED_SETUP": Meaning("ended", "its setup failed, before its program was started", "failed"),
    "CANCELLED": Meaning("ended", "cancelled in SkyPilot", "cancelled"),
}
"""Jobs on a cluster that is kept."""

CLUSTER: dict[str, Meaning] = {
    "PENDING": Meaning("waiting", "its cluster waits for machines"),
    "INIT": Meaning("waiting", "its cluster is being made, or is not well"),
    "UP": Meaning("running", ""),
    "AUTOSTOPPING": Meaning("running", "its cluster is being stopped"),
    "STOPPED": Meaning("ended", "its cluster is stopped", "failed"),
}
"""Clusters that are kept: what goes for their jobs where those cannot be asked."""
