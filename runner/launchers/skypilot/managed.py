"""Managed jobs: SkyPilot makes a cluster for each, recovers it, and gives the machines back."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from runner.errors import OutsideError
from runner.launchers.base import JobStatus
from runner.launchers.skypilot.client import Client
from runner.launchers.skypilot.ids import JobId
from runner.launchers.skypilot.records import Job
from runner.launchers.skypilot.statuses import CLUSTER_JOB, MANAGED_JOB, QUEUED, Meaning

CANCEL_SECONDS = 900.0
"""For a job to end and its machines to be given back; clouds take minutes."""
_BETWEEN_LOOKS = 2.0

_ALLOCATED = "(nodes allocated"
"""In the details of a job whose wait in Slurm's queue is over, while it is STARTING or RECOVERING
still (sky/provision/slurm/instance.py, SkyPilot 0.14.1): it waits for no capacity any more."""
_RESOURCES = re.compile(r"(\d+)x\[(.*)\](.*)")


def find(client: Client, names: Collection[str]) -> dict[str, int]:
    """Return the managed jobs of all users that were submitted under exactly `names`, by name."""
    only = next(iter(names)) if len(names) == 1 else None
    return newest(job for job in client.jobs(name=only) if job.name in names)


def known(client: Client, jobs: Collection[JobId]) -> dict[JobId, Job]:
    """Return those of the managed `jobs` that the server knows, with one request for all.

    A job under the same number that has another name is somebody else's, and left out.
    """
    if not jobs:
        return {}
    found = client.jobs(ids={one.number for one in jobs})
    by_id = {JobId(job.id, job.name): job for job in found}
    return {one: by_id[one] for one in jobs if one in by_id}


def newest(jobs: Iterable[Job]) -> dict[str, int]:
    """Return one job per name: one that goes on before those that have ended, else the newest.

    Names are not unique. Whichever of several is taken, the lease in the run store lets one of them
    train and stops the others, so that all but one end by themselves.
    """
    ordered = sorted(jobs, key=lambda job: (not has_ended(job), job.id))
    return {job.name: job.id for job in ordered}


def has_ended(job: Job) -> bool:
    """Return whether nothing of a job goes on, as far as its status tells."""
    return meaning_of(job).state == "ended"


def meaning_of(job: Job) -> Meaning:
    """Return what the status of a managed job, or of one on a cluster, means.

    `unknown` for one of another version of SkyPilot.
    """
    if job.is_managed and job.status == "PENDING" and job.submitted is None:
        return QUEUED
    table = MANAGED_JOB if job.is_managed else CLUSTER_JOB
    return table.get(job.status, Meaning("unknown", f"SkyPilot says {job.status}"))


def missing(job: JobId) -> JobStatus:
    """Return that the server has no record of a job: it may go on where nobody sees it."""
    says = f"SkyPilot has no record of job {job.number} named {job.name}: was its server replaced?"
    return JobStatus("unknown", says)


def status(job: Job) -> JobStatus:
    """Return a job in our words."""
    meaning = meaning_of(job)
    if meaning.state == "waiting" and _ALLOCATED in job.details:
        meaning = Meaning("running", "its machines are there and are being set up")
    return JobStatus(
        meaning.state,
        _detail(job, meaning),
        where=job.infra,
        since=_since(job, meaning),
        recoveries=job.recoveries,
        outcome=meaning.outcome,
        is_queued=meaning.is_queued,
    )


def _detail(job: Job, meaning: Meaning) -> str:
    says = meaning.says
    if says.endswith(" for"):
        place = f" on {job.infra}" if job.infra else ""
        says = f"{says} {_wanted(job.resources)}{place}"
    if meaning.state == "running" and not says:
        return ""
    why = f"{says}: {' '.join(job.details.split())}" if says and job.details else says
    left = meaning.state == "ended" and meaning.outcome and job.has_machines
    return f"{why}; its machines are still there" if left else why


def _wanted(resources: str) -> str:
    found = _RESOURCES.fullmatch(resources)
    if found is None:
        return resources or "machines"
    number, each, ordered = found.groups()
    return f"{each}{ordered}" if number == "1" else f"{number} x {each}{ordered}"


def _since(job: Job, meaning: Meaning) -> str | None:
    if meaning.state == "ended":
        return _moment(job.ended)
    if meaning.state == "running":
        return _moment(max(job.started or 0, job.recovered or 0) or None)
    # SkyPilot does not say since when a job that lost its machines waits for others.
    return None if job.started else _moment(job.submitted)


def _moment(seconds: float | None) -> str | None:
    if not seconds or seconds < 0:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stop(client: Client, wanted: JobId) -> None:
    """Cancel a managed job and return when it has ended and its machines are given back.

    Touches nothing when the server does not know it. Raises OutsideError when something of it is
    left after CANCEL_SECONDS.
    """
    deadline = time.monotonic() + CANCEL_SECONDS
    asked = False
    while (job := known(client, [wanted]).get(wanted)) is not None:
        if has_ended(job) and not job.has_machines:
            return
        if not has_ended(job) and not asked:
            client.cancel_job(job.id)
            asked = True
        elif time.monotonic() > deadline:
            raise OutsideError(left_over(job), cure=remove(job))
        else:
            time.sleep(_BETWEEN_LOOKS)


def left_over(job: Job) -> str:
    """Return what is still there of a job; empty for nothing."""
    if not has_ended(job):
        return f"managed job {job.id} is {job.status}"
    return f"managed job {job.id} is {job.status}, its machines are there" * job.has_machines


def remove(job: Job) -> str:
    """Return the command that ends a job; one that has ended may have left its machines."""
    return f"sky down {job.name}-{job.id}" if has_ended(job) else f"sky jobs cancel {job.id}"
