"""What the stand-in knows: managed jobs, clusters with their jobs, requests, files sent."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import yaml

NOTHING = "gAROLg=="
"""A pickled None in base64: what the SDK unpickles and does not use."""
USER = "aabbccdd"
ENDED = {"SUCCEEDED", "CANCELLED"}


def has_ended(status: str) -> bool:
    return status in ENDED or status.startswith("FAILED")


@dataclass
class Job:
    """A managed job, or one on a cluster."""

    id: int
    name: str
    task: dict[str, Any]
    status: str
    files: bytes = b""
    """The archive that came with it; empty where the server shares the client's disk."""
    submitted: float = field(default_factory=time.time)
    told: dict[str, Any] = field(default_factory=dict)
    """What `become` said of it: fields of SkyPilot's record."""
    log: str = ""

    @property
    def holds_machines(self) -> bool:
        return "cloud" in self.told and not has_ended(self.status)


@dataclass
class Cluster:
    """A cluster that is kept."""

    name: str
    status: str = "UP"
    jobs: dict[int, Job] = field(default_factory=dict)


@dataclass
class Asked:
    """A request that was taken up."""

    name: str
    """Such as `sky.jobs.launch`."""
    body: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: float = field(default_factory=time.time)
    done: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: dict[str, Any] | None = None

    def record(self) -> dict[str, Any]:
        """Return it as GET /api/get has it."""
        status = "RUNNING" if not self.done.is_set() else "FAILED" if self.error else "SUCCEEDED"
        return {
            "request_id": self.id,
            "name": self.name,
            "entrypoint": NOTHING,
            "request_body": NOTHING,
            "status": status,
            "created_at": self.created,
            "user_id": USER,
            "return_value": json.dumps(self.value),
            "error": json.dumps(self.error),
            "pid": None,
            "schedule_type": "long",
            "cluster_name": self.body.get("cluster_name"),
        }

    def listed(self) -> dict[str, Any]:
        """Return it as GET /api/status lists it."""
        return self.record() | {"request_body": json.dumps(self.body), "return_value": "null"}


class State:
    """Everything, under one lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.jobs: dict[int, Job] = {}
        self.clusters: dict[str, Cluster] = {}
        self.requests: dict[str, Asked] = {}
        self.blobs: dict[str, bytes] = {}

    def add_job(self, name: str, body: dict[str, Any]) -> Job:
        number = len(self.jobs) + 1
        self.jobs[number] = Job(number, name, read_task(body), "PENDING", self.files(body))
        return self.jobs[number]

    def add_cluster_job(self, cluster: str, body: dict[str, Any]) -> Job:
        found = self.clusters.setdefault(cluster, Cluster(cluster))
        number = len(found.jobs) + 1
        found.jobs[number] = Job(number, cluster, read_task(body), "PENDING", self.files(body))
        return found.jobs[number]

    def files(self, body: dict[str, Any]) -> bytes:
        return self.blobs.get(body.get("file_mounts_blob_id") or "", b"")


def read_task(body: dict[str, Any]) -> dict[str, Any]:
    """Return the task of a submission; the SDK sends a document about the whole before it."""
    documents = [one for one in yaml.safe_load_all(body["task"]) if one]
    task: dict[str, Any] = documents[-1]
    return task


def job_record(job: Job) -> dict[str, Any]:
    """Return a managed job as the queue has it."""
    machines = f"sky-{job.name}-{job.id}" if job.holds_machines else None
    return {
        "job_id": job.id,
        "task_id": 0,
        "job_name": job.name,
        "task_name": job.name,
        "status": job.status,
        "resources": _resources(job.task),
        # Set as it becomes STARTING; `become` says so of one that is PENDING again.
        "submitted_at": None if job.status == "PENDING" else job.submitted,
        "start_at": None,
        "end_at": None,
        "last_recovered_at": -1,
        "recovery_count": 0,
        "cloud": "-",
        "region": "-",
        "zone": "-",
        "cluster_name_on_cloud": machines,
        **job.told,
    }


def _resources(task: dict[str, Any]) -> str:
    asked = task.get("resources") or {}
    first = (asked.get("ordered") or asked.get("any_of") or [asked])[0]
    return (
        f"{task.get('num_nodes') or 1}x[{asked.get('accelerators') or first.get('accelerators')}]"
    )


def cluster_record(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster as its status has it."""
    return {
        "name": cluster.name,
        "launched_at": int(time.time()),
        "status": cluster.status,
        "autostop": -1,
        "to_down": False,
        "cluster_hash": "c" * 16,
        "cluster_ever_up": True,
        "user_hash": USER,
        "user_name": "somebody",
        "workspace": "default",
        "is_managed": False,
        "nodes": 1,
        "cloud": "Slurm",
        "region": "stand-in",
    }


def cluster_job_record(job: Job) -> dict[str, Any]:
    """Return a job on a cluster as the cluster's queue has it."""
    return {
        "job_id": job.id,
        "job_name": job.name,
        "username": "somebody",
        "user_hash": USER,
        "submitted_at": job.submitted,
        "start_at": None,
        "end_at": None,
        "resources": _resources(job.task),
        "status": job.status,
        "log_path": "~/sky_logs",
        **{name: value for name, value in job.told.items() if name.endswith("_at")},
    }
