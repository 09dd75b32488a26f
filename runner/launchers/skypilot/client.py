"""What is asked of SkyPilot, through its own SDK: the only module that loads it.

Every call has a deadline, none starts a server on this machine, and every error is one of ours.
The SDK keeps what it knows of the server per thread, so each call has a thread of its own.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from runner.errors import OutsideError, RunnerError, Unclear
from runner.launchers.skypilot.faults import explain, is_unclear, too_late, without_controls
from runner.launchers.skypilot.records import (
    FIELDS,
    About,
    Cluster,
    Job,
    Machines,
    Offer,
    place,
    read_cluster,
    read_cluster_job,
    read_managed_job,
)
from runner.launchers.skypilot.server import server_url, without_password
from runner.parallel import in_background

T = TypeVar("T")

ANSWER_SECONDS = 120.0
"""For a question; the server may have to ask the controller of its managed jobs first."""
SUBMIT_SECONDS = 900.0
"""For a submission; a server without a controller of managed jobs makes one first."""

_LOG = logging.getLogger(__name__)
_SUBMISSIONS = frozenset({"sky.jobs.launch", "sky.launch"})


class Client:
    """One API server, asked on behalf of whoever the environment says."""

    def __init__(self) -> None:
        """Ask the server that the configuration names; nothing is asked or loaded yet."""
        self.url = server_url()

    # Managed jobs

    def launch_job(self, task: Mapping[str, Any], name: str, secrets: Mapping[str, str]) -> int:
        """Submit a managed job and return its id, once SkyPilot has given it one.

        Raises Unclear when it may have been submitted, other errors when it was not.
        """

        def call(sky: Any) -> int:
            made = sky.Task.from_yaml_config(dict(task), secrets_overrides=list(secrets.items()))
            ids, _ = sky.client.sdk.get(sky.jobs.client.sdk.launch(made, name=name))
            return int(ids[0])

        return self._ask(f"submit {name}", call, SUBMIT_SECONDS)

    def jobs(
        self, *, ids: Collection[int] | None = None, name: str | None = None
    ) -> tuple[Job, ...]:
        """Return managed jobs of all users, ended ones too: those of `ids`, or all.

        With `name` those whose name has it in it.
        """

        def call(sky: Any) -> tuple[Job, ...]:
            def asked(refresh: bool) -> tuple[Job, ...]:
                request = sky.jobs.client.sdk.queue_v2(
                    refresh=refresh,
                    all_users=True,
                    job_ids=None if ids is None else sorted(ids),
                    name_match=name,
                    fields=list(FIELDS),
                )
                return tuple(map(read_managed_job, sky.client.sdk.get(request)[0]))

            try:
                return asked(refresh=False)
            except sky.exceptions.ClusterNotUpError as error:
                if error.cluster_status is None:
                    return ()  # it has never had a controller of managed jobs
                return asked(refresh=True)  # stopped for want of work; its records are on it

        return self._ask("list managed jobs", call)

    def cancel_job(self, job_id: int) -> None:
        """Ask for a managed job to be cancelled; it takes a while until it is."""

        def call(sky: Any) -> None:
            sky.client.sdk.get(sky.jobs.client.sdk.cancel(job_ids=[job_id], all_users=False))

        self._ask(f"cancel managed job {job_id}", call)

    def job_logs(self, job_id: int, *, follow: bool) -> Iterator[str]:
        """Yield what a managed job printed, and how SkyPilot brought it up."""
        return self._lines(
            lambda sky: sky.jobs.client.sdk.tail_logs(
                job_id=job_id, follow=follow, preload_content=False
            )
        )

    def machines(self, job_id: int, name: str) -> Machines | None:
        """Return the machines of a managed job of this name; None while it has none."""

        def call(sky: Any) -> Machines | None:
            from sky.jobs.utils import generate_managed_job_cluster_name

            request = sky.jobs.client.sdk.queue_v2(
                refresh=False, all_users=True, job_ids=[job_id], fields=list(FIELDS)
            )
            for found in sky.client.sdk.get(request)[0]:
                on_cloud = found.cluster_name_on_cloud
                if on_cloud and found.job_name == name:
                    cluster = generate_managed_job_cluster_name(name, job_id)
                    return Machines(cluster, on_cloud, place(found), is_kept=False)
            return None

        return self._ask(f"find the machines of managed job {job_id}", call)

    # Clusters

    def launch_on_cluster(
        self, task: Mapping[str, Any], name: str, secrets: Mapping[str, str]
    ) -> int:
        """Make the cluster `name` with the task as its job, and return that job's id.

        Raises as `launch_job`.
        """

        def call(sky: Any) -> int:
            made = sky.Task.from_yaml_config(dict(task), secrets_overrides=list(secrets.items()))
            job_id, _ = sky.client.sdk.get(sky.client.sdk.launch(made, cluster_name=name))
            return int(job_id)

        return self._ask(f"submit {name}", call, SUBMIT_SECONDS)

    def clusters(self, names: Sequence[str] | None = None) -> dict[str, Cluster]:
        """Return the clusters of all users that are kept, by name: `names`, or all."""

        def call(sky: Any) -> dict[str, Cluster]:
            chosen = None if names is None else list(names)
            request = sky.client.sdk.status(cluster_names=chosen, all_users=True)
            return {found.name: read_cluster(found) for found in sky.client.sdk.get(request)}

        return self._ask("list clusters", call)

    def cluster_jobs(self, cluster: str) -> tuple[Job, ...]:
        """Return the jobs of all users on a cluster, which must be up."""

        def call(sky: Any) -> tuple[Job, ...]:
            request = sky.client.sdk.queue(cluster, skip_finished=False, all_users=True)
            return tuple(map(read_cluster_job, sky.client.sdk.get(request)))

        return self._ask(f"list the jobs of cluster {cluster}", call)

    def cancel_cluster_job(self, cluster: str, job_id: int) -> None:
        """Stop a job on a cluster."""

        def call(sky: Any) -> None:
            sky.client.sdk.get(sky.client.sdk.cancel(cluster, job_ids=[job_id]))

        self._ask(f"cancel job {job_id} on cluster {cluster}", call)

    def down(self, cluster: str) -> None:
        """Give a cluster's machines back; one that is not there is fine."""

        def call(sky: Any) -> None:
            try:
                sky.client.sdk.get(sky.client.sdk.down(cluster))
            except sky.exceptions.ClusterDoesNotExist:
                return

        self._ask(f"take cluster {cluster} down", call, SUBMIT_SECONDS)

    def cluster_logs(self, cluster: str, job_id: int, *, follow: bool) -> Iterator[str]:
        """Yield what a job on a cluster printed."""
        return self._lines(
            lambda sky: sky.client.sdk.tail_logs(
                cluster, job_id=job_id, follow=follow, preload_content=False
            )
        )

    # Requests

    def submissions(self) -> frozenset[str]:
        """Return the names of submissions that the server has taken up and not yet answered.

        Others' submissions are without a name, unless who asks may see everything.
        """

        def call(sky: Any) -> frozenset[str]:
            asked = sky.client.sdk.api_status()
            bodies = [json.loads(one.request_body) for one in asked if one.name in _SUBMISSIONS]
            found = (body.get("name") or body.get("cluster_name") for body in bodies if body)
            return frozenset(name for name in found if name)

        return self._ask("list requests", call)

    def offers(
        self, cloud: str, region: str | None, accelerator: str, count: int | None, seconds: float
    ) -> tuple[Offer, ...]:
        """Return what nodes with `count` of `accelerator` cost in each region of `cloud`.

        For Kubernetes and Slurm `region` is a context or cluster, and prices are those of the
        server's own configuration. The answer is waited for `seconds`.
        """

        def call(sky: Any) -> tuple[Offer, ...]:
            request = sky.client.sdk.list_accelerators(
                name_filter=f"^{re.escape(accelerator)}$",
                region_filter=region,
                quantity_filter=count,
                clouds=cloud,
                all_regions=True,
                case_sensitive=False,
            )
            found = sky.client.sdk.get(request).values()
            rows = (row for rows in found for row in rows)
            return tuple(
                Offer(row.region, row.accelerator_count, row.price, row.spot_price) for row in rows
            )

        return self._ask(f"list the prices of {accelerator} on {cloud}", call, seconds)

    def about(self) -> About:
        """Return which version the server is, whom it takes us for, and what it may use."""

        def call(sky: Any) -> About:
            said = sky.client.sdk.api_info()
            places = sky.client.sdk.get(sky.client.sdk.enabled_clouds(expand=True))
            user = said.user.name if said.user and said.user.name else ""
            return About(said.version, user, tuple(sorted(places)))

        return self._ask("ask the server about itself", call)

    # Asking

    def _ask(self, what: str, call: Callable[[Any], T], seconds: float = ANSWER_SECONDS) -> T:
        sky = _load()
        _LOG.debug("SkyPilot at %s: %s", without_password(self.url), what)
        try:
            return _within(seconds, lambda: self._reached(sky, call))
        except _LateError as error:
            raise _unclear(too_late(what, self.url, seconds)) from error
        except Exception as error:
            ours = explain(error, what, self.url)
            raise (_unclear(ours) if is_unclear(error) else ours) from error

    def _reached(self, sky: Any, call: Callable[[Any], T]) -> T:
        """Return what `call` does, after a look whether the server is there.

        Without the look the SDK would start a server on this machine when there is none.
        """
        status, _ = sky.server.common.check_server_healthy(self.url)
        if status == sky.server.common.ApiServerStatus.NEEDS_AUTH:
            raise sky.exceptions.ApiServerAuthenticationError(self.url)
        return call(sky)

    def _lines(self, call: Callable[[Any], Iterator[str | None]]) -> Iterator[str]:
        """Yield the lines of a stream; it has no deadline, as a job may say nothing for hours."""
        sky = _load()
        try:
            for part in self._reached(sky, call):
                yield from without_controls(part or "").splitlines()
        except RunnerError:
            raise
        except Exception as error:
            raise explain(error, "show the logs", self.url) from error


class _LateError(Exception):
    pass


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns in a thread of its own; it is left behind after `seconds`."""
    answer = in_background(call)
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        if answer.done():
            raise
        raise _LateError from error


def _unclear(error: RunnerError) -> Unclear:
    return Unclear(error.message, cure=error.cure)


@functools.cache
def _load() -> Any:
    """Load SkyPilot, which takes seconds, and keep what it says from our own output."""
    try:
        import sky
        import sky.client.sdk
        import sky.exceptions
        import sky.jobs.client.sdk
        import sky.server.common
    except ImportError as error:
        raise OutsideError(
            f"SkyPilot's client cannot be loaded here: {error}",
            cure="pip install 'rollbook[sky]'   brings it",
        ) from error

    logger = logging.getLogger("sky")
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
    if not os.environ.get("SKYPILOT_DEBUG"):
        logger.setLevel(logging.WARNING)
    return sky
