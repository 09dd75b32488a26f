"""Every status of SkyPilot's has a meaning, held to the installed SkyPilot's own enumerations."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from runner.launchers.skypilot import managed
from runner.launchers.skypilot.records import Job
from runner.launchers.skypilot.statuses import CLUSTER, CLUSTER_JOB, MANAGED_JOB, Meaning

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies', when it is loaded
    from sky.jobs.state import ManagedJobStatus
    from sky.skylet.job_lib import JobStatus
    from sky.utils.status_lib import ClusterStatus


@pytest.mark.parametrize(
    ("kind", "table"),
    [(ManagedJobStatus, MANAGED_JOB), (JobStatus, CLUSTER_JOB), (ClusterStatus, CLUSTER)],
)
def test_every_status_has_a_meaning(kind: Any, table: dict[str, Meaning]) -> None:
    assert set(table) == {status.value for status in kind}


@pytest.mark.parametrize(
    ("kind", "table"), [(ManagedJobStatus, MANAGED_JOB), (JobStatus, CLUSTER_JOB)]
)
def test_what_is_over_for_skypilot_has_ended(kind: Any, table: dict[str, Meaning]) -> None:
    over = {status.value for status in kind if status.is_terminal()}
    assert {status for status, meaning in table.items() if meaning.state == "ended"} == over
    for status in over:
        assert (table[status].outcome is None) is (status == "SUCCEEDED")


def job(status: str, **about: Any) -> Job:
    return Job(7, "r1", status, resources="1x[H100:8]", submitted=1_000_000.0, **about)


@pytest.mark.parametrize(
    ("known", "detail"),
    [
        (job("STARTING"), "waiting for H100:8"),
        (
            job("STARTING", infra="k8s/pool", details="In backoff, waiting for resources"),
            "waiting for H100:8 on k8s/pool: In backoff, waiting for resources",
        ),
        (
            job("RECOVERING", started=1_000_100.0, infra="gcp/us-central1"),
            "its machines are gone; waiting again for H100:8 on gcp/us-central1",
        ),
        (job("RUNNING", details="whatever"), ""),
        (
            job("FAILED_SETUP", details="exit code 1:\n no such lock"),
            "its setup failed, before its program was started: exit code 1: no such lock",
        ),
        (
            job("FAILED_CONTROLLER", has_machines=True),
            "SkyPilot itself failed at it; its machines are still there",
        ),
        (job("SUCCEEDED"), ""),
        (job("LEVITATING"), "SkyPilot says LEVITATING"),
    ],
)
def test_a_status_is_one_sentence_for_people(known: Job, detail: str) -> None:
    assert managed.status(known).detail == detail


def test_a_status_of_another_version_is_unknown_and_never_an_end() -> None:
    assert managed.status(job("LEVITATING")).state == "unknown"


def test_pending_is_a_wait_for_capacity_only_once_it_has_been_tried_for() -> None:
    tried = job("PENDING", details="Job is in backoff")
    known = managed.status(tried)
    assert (known.detail, known.is_queued) == ("waiting for H100:8: Job is in backoff", False)
    known = managed.status(
        tried._replace(submitted=None, details="Waiting for other jobs to launch")
    )
    assert known.detail == "waiting in SkyPilot's own queue: Waiting for other jobs to launch"
    assert (known.state, known.since, known.is_queued) == ("waiting", None, True)
    assert not managed.status(job("STARTING", details="In backoff")).is_queued
    assert not managed.status(job("RECOVERING", started=1e6)).is_queued


def test_on_a_cluster_pending_is_its_turn() -> None:
    known = managed.status(job("PENDING", is_managed=False))
    assert (known.detail, known.is_queued) == ("waiting for its turn on its cluster", True)


@pytest.mark.parametrize("starting", ["STARTING", "RECOVERING"])
def test_one_whose_machines_are_being_set_up_waits_for_no_capacity(starting: str) -> None:
    details = "Launching (nodes allocated; Slurm job 16 on virtual)"
    known = managed.status(job(starting, details=details))
    assert (known.state, known.since) == ("running", None)
    assert known.detail.startswith("its machines are there and are being set up")
    assert managed.status(job(starting, details="Launching (pending: Priority)")).state == "waiting"


def test_since_is_when_it_got_into_its_state() -> None:
    times = {"started": 1_000_100.0, "recovered": 1_000_200.0, "ended": 1_000_300.0}
    since = {
        status: managed.status(job(status, **times)).since
        for status in ("RUNNING", "FAILED", "RECOVERING")
    }
    assert since == {
        "RUNNING": "1970-01-12T13:50:00Z",
        "FAILED": "1970-01-12T13:51:40Z",
        "RECOVERING": None,
    }
    assert managed.status(job("STARTING")).since == "1970-01-12T13:46:40Z"


def test_of_several_jobs_the_one_that_goes_on_is_taken_else_the_newest() -> None:
    def numbered(number: int, status: str) -> Job:
        return Job(number, "r1", status)

    assert managed.newest([numbered(1, "RUNNING"), numbered(2, "FAILED")]) == {"r1": 1}
    assert managed.newest([numbered(1, "FAILED"), numbered(2, "CANCELLED")]) == {"r1": 2}
