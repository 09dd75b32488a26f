"""What SkyPilot tells of jobs, clusters and prices, as values of our own."""

from __future__ import annotations

from typing import Any, NamedTuple

from runner.spec.infra import write_infra

_MISSING = "-"
FIELDS = (
    "job_id",
    "task_id",
    "job_name",
    "status",
    "details",
    "failure_reason",
    "resources",
    "cloud",
    "region",
    "zone",
    "submitted_at",
    "start_at",
    "end_at",
    "last_recovered_at",
    "recovery_count",
    "cluster_name_on_cloud",
)
"""What is asked of managed jobs: the rest, such as the whole task, would be heavy."""


class Job(NamedTuple):
    """A job as SkyPilot knows it: a managed one, or one on a cluster; times are Unix times."""

    id: int
    name: str
    status: str
    """Of ManagedJobStatus, or of JobStatus for one on a cluster."""
    submitted: float | None = None
    """Of a managed job: when SkyPilot first tried for machines; None while it is in its queue."""
    started: float | None = None
    recovered: float | None = None
    ended: float | None = None
    resources: str = ""
    """What it asks for, such as `1x[H100:8]`."""
    infra: str = ""
    """Where it runs or ran last; empty before it has got machines."""
    details: str = ""
    """Why it waits, or why it failed, in SkyPilot's words."""
    recoveries: int = 0
    has_machines: bool = False
    """Whether the cluster that SkyPilot has made for it is there."""
    is_managed: bool = True
    """Else it is one on a cluster that is kept."""


class Cluster(NamedTuple):
    """A cluster that is kept."""

    name: str
    status: str
    """Of ClusterStatus."""
    infra: str = ""
    reason: str = ""
    """Why it is not up, in SkyPilot's words."""


class Machines(NamedTuple):
    """The machines that a job has got."""

    cluster: str
    """SkyPilot's name of their cluster."""
    on_cloud: str
    """Its name there: its pods begin with it, and a Slurm job has it."""
    infra: str
    is_kept: bool
    """Whether the cluster outlives its job."""


class Offer(NamedTuple):
    """What SkyPilot would take for a node somewhere, in US dollars for an hour."""

    region: str
    """Of a cloud; for Kubernetes the context, for Slurm the partition."""
    accelerators: float
    """How many are on it."""
    price: float
    """0 or no number where nobody has set one, as `spot_price`."""
    spot_price: float


class About(NamedTuple):
    """An API server, as it speaks of itself."""

    version: str
    user: str
    """Whom it takes us for; empty where it asks nobody who they are."""
    places: tuple[str, ...]
    """Clouds, Kubernetes contexts and Slurm clusters that it may use, as it calls them."""


def read_managed_job(record: Any) -> Job:
    """Return a managed job from a record of the SDK's."""
    return Job(
        id=record.job_id,
        name=record.job_name or "",
        status=record.status.value,
        submitted=record.submitted_at,
        started=record.start_at,
        recovered=record.last_recovered_at,
        ended=record.end_at,
        resources=record.resources or "",
        infra=place(record),
        details=record.failure_reason or record.details or "",
        recoveries=record.recovery_count or 0,
        has_machines=record.cluster_name_on_cloud is not None,
    )


def read_cluster_job(record: Any) -> Job:
    """Return a job on a cluster from a record of the SDK's."""
    return Job(
        id=record.job_id,
        name=record.job_name,
        status=record.status.value,
        submitted=record.submitted_at,
        started=record.start_at,
        ended=record.end_at,
        has_machines=True,
        is_managed=False,
    )


def read_cluster(record: Any) -> Cluster:
    """Return a cluster from a record of the SDK's."""
    infra = write_infra(record.cloud, record.region) if record.cloud else ""
    return Cluster(record.name, record.status.value, infra, record.init_status_reason or "")


def place(record: Any) -> str:
    """Return where a job is: its own `infra` is for people, and cut where it is long."""
    parts = (None if part == _MISSING else part for part in (record.region, record.zone))
    return write_infra(record.cloud, *parts) if record.cloud not in (None, _MISSING) else ""
