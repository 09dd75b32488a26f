"""The operations of the API server: what each does to the state, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sky_state import (
    NOTHING,
    State,
    cluster_job_record,
    cluster_record,
    has_ended,
    job_record,
)

Body = dict[str, Any]


class Operation(NamedTuple):
    """One that is answered with an id at once, and carried out under it."""

    name: str
    """SkyPilot's name of the request."""
    carry_out: Callable[[State, Body], Any]


def _launch_job(state: State, body: Body) -> Any:
    return {"job_id": [state.add_job(body["name"], body).id], "handle": NOTHING}


def _queue(state: State, body: Body) -> Any:
    ids, part = body.get("job_ids"), body.get("name_match") or ""
    chosen = [
        job
        for job in state.jobs.values()
        if part in job.name
        and (ids is None or job.id in ids)
        and not (body.get("skip_finished") and has_ended(job.status))
    ]
    fields = body.get("fields")
    records = [
        {name: value for name, value in job_record(job).items() if not fields or name in fields}
        for job in reversed(chosen)
    ]
    return {"jobs": records, "total": len(records), "total_no_filter": len(state.jobs)}


def _cancel_jobs(state: State, body: Body) -> None:
    for number in body["job_ids"]:
        if number in state.jobs and not has_ended(state.jobs[number].status):
            state.jobs[number].status = "CANCELLED"


def _launch(state: State, body: Body) -> Any:
    return {"job_id": state.add_cluster_job(body["cluster_name"], body).id, "handle": NOTHING}


def _status(state: State, body: Body) -> Any:
    names = body.get("cluster_names")
    found = state.clusters.values()
    return [cluster_record(one) for one in found if names is None or one.name in names]


def _cluster_queue(state: State, body: Body) -> Any:
    return [cluster_job_record(job) for job in state.clusters[body["cluster_name"]].jobs.values()]


def _cancel(state: State, body: Body) -> None:
    jobs = state.clusters[body["cluster_name"]].jobs
    for number in body["job_ids"]:
        jobs[number].status = "CANCELLED"


def _down(state: State, body: Body) -> None:
    state.clusters.pop(body["cluster_name"], None)


OPERATIONS: Mapping[str, Operation] = {
    "/jobs/launch": Operation("sky.jobs.launch", _launch_job),
    "/jobs/queue/v2": Operation("sky.jobs.queue_v2", _queue),
    "/jobs/cancel": Operation("sky.jobs.cancel", _cancel_jobs),
    "/launch": Operation("sky.launch", _launch),
    "/status": Operation("sky.status", _status),
    "/queue": Operation("sky.queue", _cluster_queue),
    "/cancel": Operation("sky.cancel", _cancel),
    "/down": Operation("sky.down", _down),
}
