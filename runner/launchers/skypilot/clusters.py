"""Clusters that are kept after their job, for a person to look at; they cost until taken down."""

from __future__ import annotations

import time
from collections.abc import Collection

from runner.errors import OutsideError
from runner.launchers.base import JobStatus
from runner.launchers.skypilot import managed
from runner.launchers.skypilot.client import Client
from runner.launchers.skypilot.ids import JobId
from runner.launchers.skypilot.records import Cluster, Job
from runner.launchers.skypilot.statuses import CLUSTER, Meaning

_UP = "UP"
_BETWEEN_LOOKS = 2.0


def find(client: Client, names: Collection[str]) -> dict[str, JobId]:
    """Return the jobs on the clusters of exactly these `names`, by name.

    A cluster without a job, which a failed submission has left, counts as nothing.
    """
    up = [c.name for c in client.clusters(list(names)).values() if c.status == _UP]
    newest = {name: managed.newest(_called(client, name)) for name in up}
    return {name: JobId(jobs[name], name, is_kept=True) for name, jobs in newest.items() if jobs}


def _called(client: Client, cluster: str) -> tuple[Job, ...]:
    """Return a cluster's jobs, all under the cluster's own name."""
    return tuple(job._replace(name=cluster) for job in client.cluster_jobs(cluster))


def poll(client: Client, jobs: Collection[JobId]) -> dict[JobId, JobStatus]:
    """Return how jobs on clusters fare."""
    if not jobs:
        return {}
    known = client.clusters(sorted({job.name for job in jobs}))
    return {job: _status(client, job, known.get(job.name)) for job in jobs}


def _status(client: Client, job: JobId, cluster: Cluster | None) -> JobStatus:
    if cluster is None:
        return JobStatus("ended", f"its cluster {job.name} is gone", outcome="failed")
    meaning = CLUSTER.get(cluster.status, Meaning("unknown", f"SkyPilot says {cluster.status}"))
    if cluster.status != _UP:
        why = f": {cluster.reason}" if cluster.reason else ""
        return JobStatus(meaning.state, f"{meaning.says}{why}", cluster.infra)
    found = [one for one in client.cluster_jobs(job.name) if one.id == job.number]
    if not found:
        return managed.missing(job)
    return managed.status(found[0]._replace(infra=cluster.infra))


def stop(client: Client, job: JobId) -> None:
    """Cancel a job and return when it has ended; its cluster is kept.

    Raises OutsideError when it has not ended within managed.CANCEL_SECONDS.
    """
    deadline = time.monotonic() + managed.CANCEL_SECONDS
    asked = False
    while (state := poll(client, [job])[job].state) != "ended":
        if not asked:
            client.cancel_cluster_job(job.name, job.number)
            asked = True
        elif time.monotonic() > deadline:
            raise OutsideError(
                f"job {job.number} on cluster {job.name} is {state}",
                cure=f"sky down {job.name}   gives the machines back",
            )
        else:
            time.sleep(_BETWEEN_LOOKS)


def clear(client: Client, name: str) -> None:
    """Give the machines of a cluster back that a failed submission has left without a job.

    Nothing else would: SkyPilot takes only those down that it has told when to.
    Raises OutsideError when it is still there.
    """
    if name in client.clusters([name]):
        take_down(client, name)


def take_down(client: Client, cluster: str) -> None:
    """Give a cluster's machines back, and make sure of it.

    Raises OutsideError when it is still there.
    """
    client.down(cluster)
    if client.clusters([cluster]):
        raise OutsideError(
            f"cluster {cluster} is still there", cure=f"sky down {cluster}; sky status {cluster}"
        )
