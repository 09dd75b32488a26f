"""Runs on any cloud, Kubernetes or Slurm that the team's SkyPilot reaches.

    NodeTask -> bundle, rendered task -> API server -> managed job, or job on a cluster that is kept

A job is submitted under the name that the ledger's claim gives, and found under it again by whoever
is at the same API server. What a node program says is in the run store; asked here is what only
SkyPilot knows: what is waited for, where, how often it was recovered, and whether it goes on.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from runner.errors import OutsideError, Refused, Unclear
from runner.launchers.base import Found, JobStatus, Reach, Shell
from runner.launchers.skypilot import clusters, managed, reach
from runner.launchers.skypilot.bundle import bundle
from runner.launchers.skypilot.client import Client
from runner.launchers.skypilot.ids import JobId, read_id
from runner.launchers.skypilot.leaks import find_leaks
from runner.launchers.skypilot.prices import keep_prices
from runner.launchers.skypilot.records import Machines
from runner.launchers.skypilot.server import is_loopback, server_url, without_password, workspace
from runner.launchers.skypilot.task import RANKS_KEY, secret_names, sky_task
from runner.node.task import NodeTask
from runner.registry import is_of_forge
from runner.workspace import Workspace

PENDING_SECONDS = 600.0
"""How long a submission that the server has taken up may be without an answer."""
_SETTLE_SECONDS = 20.0
"""How long to look for what an unclear submission has left."""
_BETWEEN_LOOKS = 2.0


class SkyPilotLauncher:
    """Jobs of one API server."""

    name = "skypilot"
    is_remote = True
    unseen = 900.0
    """SkyPilot's client sends a submission again for ten minutes, and a server may take it up after
    that; see retry_on_server_unavailable in sky/server/rest.py."""

    def __init__(self, workspace: Workspace) -> None:
        """Launch for the clone `workspace`; nothing is loaded or asked yet."""
        self._workspace = workspace
        self._scratch = workspace.state / "scratch"
        self._absent: set[str] = set()
        """Names that a lookup has not found, until they are submitted."""

    @functools.cached_property
    def _client(self) -> Client:
        return Client()

    def endpoint(self) -> str:
        """Return the API server's address, with SkyPilot's workspace where it is not the default.

        With this host's name for a server on loopback, which each host has one of.
        """
        url = server_url()
        host = f"@{os.uname().nodename}" if is_loopback(url) else ""
        within = f"#{workspace()}" if workspace() else ""
        return f"skypilot:{without_password(url)}{host}{within}"

    def reach(self, endpoint: str) -> Reach:
        """Tell this server's jobs from others'; a server outlives reboots, so none are gone."""
        return "here" if endpoint == self.endpoint() else "elsewhere"

    # Submitting

    def submit(self, task: NodeTask) -> str:
        """Submit the task and return the job's id once SkyPilot has given it one.

        Raises Refused when a secret of its spec is not set here, or SkyPilot refuses the task;
        Unclear when it may have been submitted all the same, OutsideError when it was not.
        """
        if task.job not in self._absent and (known := self.find([task.job]).get(task.job)):
            return known
        self._absent.discard(task.job)
        keep = task.spec.resources.keep_cluster
        job = str(self._submit(task, keep=bool(keep)))
        # A server on loopback reads the folder itself, and again for each recovery.
        if keep or not is_loopback(self._client.url):
            shutil.rmtree(task.scratch, ignore_errors=True)
        return job

    def _submit(self, task: NodeTask, *, keep: bool) -> JobId | str:
        values = _secrets(task)
        config = sky_task(task, bundle(task, Path(task.scratch) / "bundle"))
        # A name without a value is, to SkyPilot, one that it keeps the value of itself.
        config["secrets"] = dict.fromkeys(values)
        try:
            if keep:
                number = self._client.launch_on_cluster(config, task.job, values)
            else:
                number = self._client.launch_job(config, task.job, values)
            return JobId(number, task.job, is_kept=keep)
        except OutsideError as error:
            return self._settled(task.job, error)

    def _settled(self, name: str, error: OutsideError) -> str:
        """Return the job that a submission which raised `error` has made all the same.

        Never submits again. Raises `error` when there is none.
        """
        deadline = time.monotonic() + (_SETTLE_SECONDS if isinstance(error, Unclear) else 0)
        while True:
            try:
                found = self.find([name]).get(name)
            except OutsideError:
                raise error from None
            if found:
                return found
            if time.monotonic() >= deadline:
                raise error
            time.sleep(_BETWEEN_LOOKS)

    def find(self, names: Sequence[str], *, wait: bool = True) -> Mapping[str, str]:
        """Return the jobs of all users submitted under exactly `names`; ended ones count.

        A submission that the server has taken up is waited for: it is about to be a job. Raises
        Unclear when it has not become one after PENDING_SECONDS, without `wait` at once.
        """
        # First: what is answered meanwhile is found below.
        self._await_submissions(names, PENDING_SECONDS if wait else 0.0)
        numbers = managed.find(self._client, set(names))
        found = {name: str(JobId(number, name)) for name, number in numbers.items()}
        if rest := [name for name in names if name not in found]:
            kept = clusters.find(self._client, rest)
            found |= {name: str(job) for name, job in kept.items()}
        self._absent |= set(names) - set(found)
        return found

    def _await_submissions(self, names: Collection[str], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while pending := self._pending(names):
            if time.monotonic() >= deadline:
                waited = f", {seconds / 60:.0f} min after it was asked" if seconds else ""
                raise Unclear(
                    f"SkyPilot has not answered the submission of {pending} yet{waited}",
                    cure="sky api status   shows it, sky api cancel ends it",
                )
            time.sleep(_BETWEEN_LOOKS)

    def _pending(self, names: Collection[str]) -> str | None:
        return min(self._client.submissions() & set(names), default=None)

    # Following

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Ask the server once for all managed jobs, and once for each cluster that is kept."""
        told = {job: JobStatus("unknown", f"{job} is no job of SkyPilot's") for job in jobs}
        ids = {job: found for job in jobs if (found := read_id(job))}
        try:
            statuses = self._statuses(ids.values())
        except OutsideError as error:
            return told | {job: JobStatus("unknown", error.message) for job in ids}
        return told | {job: statuses[one] for job, one in ids.items()}

    def _statuses(self, ids: Collection[JobId]) -> Mapping[JobId, JobStatus]:
        wanted = [one for one in ids if not one.is_kept]
        known = managed.known(self._client, wanted)
        for job in known.values():
            if managed.has_ended(job):  # what a server on loopback has read until now
                shutil.rmtree(self._scratch / job.name, ignore_errors=True)
        told = {
            one: managed.status(known[one]) if one in known else managed.missing(one)
            for one in wanted
        }
        return told | clusters.poll(self._client, [one for one in ids if one.is_kept])

    def cancel(self, job: str) -> None:
        """Cancel a job, also by the name it was submitted under; wait until it is gone, verified.

        A managed job's machines are given back with it; a kept cluster stays (`release`).
        Raises OutsideError when something is left.
        """
        one = read_id(job) or read_id(self.find([job]).get(job, ""))
        if one is None:
            clusters.clear(self._client, job)
        elif one.is_kept:
            clusters.stop(self._client, one)
        else:
            managed.stop(self._client, one)

    def release(self, job: str) -> None:
        """Cancel a job, and take the cluster down that is kept for it."""
        self.cancel(job)
        one = read_id(job)
        if one and one.is_kept:
            clusters.take_down(self._client, one.name)

    def left(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Return which of `jobs` go on or hold machines."""
        ids = {job: found for job in jobs if (found := read_id(job))}
        known = managed.known(self._client, [one for one in ids.values() if not one.is_kept])
        names = sorted({one.name for one in ids.values() if one.is_kept})
        kept = self._client.clusters(names) if names else {}
        told = {
            job: f"cluster {one.name} is {kept[one.name].status}"
            if one.is_kept
            else managed.left_over(known[one])
            for job, one in ids.items()
            if one in known or (one.is_kept and one.name in kept)
        }
        return {job: words for job, words in told.items() if words}

    def leaks(self, explained: Collection[str]) -> Found:
        """Return our jobs and clusters at the server that are not `explained`."""
        return find_leaks(self._client, explained)

    def keep_prices(self) -> None:
        """Ask the server once a day what the places that specs name cost."""
        keep_prices(self._workspace, self.endpoint())

    def about(self) -> str:
        """Return which server answers, as whom it takes us, and what it may use."""
        found = self._client.about()
        if not found.places:
            raise OutsideError(
                f"the API server {without_password(self._client.url)} may use no place at all",
                cure="sky check   on the server says what each cloud lacks",
            )
        who = f", as {found.user}" if found.user else ""
        url = without_password(self._client.url)
        return f"{found.version} at {url}{who}; may use {', '.join(found.places)}"

    def logs(self, job: str, *, follow: bool) -> Iterator[str]:
        """Yield what SkyPilot kept of a job: how it was brought up, and what it printed."""
        one = read_id(job)
        if one is None or not self._is_known(job):
            return iter(())
        if one.is_kept:
            return self._client.cluster_logs(one.name, one.number, follow=follow)
        return self._client.job_logs(one.number, follow=follow)

    def links(self, job: str) -> Mapping[str, str]:
        """Return the job's page on SkyPilot's dashboard; none where the server does not know it."""
        one = read_id(job)
        if one is None or not self._is_known(job):
            return {}
        return {"skypilot": reach.page(self._client.url, one)}

    def _is_known(self, job: str) -> bool:
        return self.poll([job])[job].state != "unknown"

    def shell(self, job: str) -> Shell:
        """Return the way to the job's first node, by SSH or the scheduler's own means."""
        one = read_id(job)
        if one is None:
            raise Refused(f"{job} is no job of SkyPilot's")
        if one.is_kept:
            kept = Machines(one.name, one.name, "", is_kept=True)
            return reach.shell(kept)
        machines = self._client.machines(one.number, one.name)
        if machines is None:
            raise Refused(
                f"managed job {one.number} has no machines now: {self.poll([job])[job].detail}",
                cure="runner status   shows what it waits for",
            )
        return reach.shell(machines)


def _secrets(task: NodeTask) -> dict[str, str]:
    """Return the values that travel apart from the task, from the environment of who submits.

    Raises Refused with the names of the spec's secrets that are not set here.
    """
    unset = [name for name in task.spec.secrets if name not in os.environ]
    if unset:
        raise Refused(
            f"`secrets` of the spec: {', '.join(unset)} is not set where this runs",
            cure="set it, in CI as a secret of the workflow's environment, and apply again",
        )
    named = [name for name in secret_names(task) if name in os.environ and not is_of_forge(name)]
    values = {name: os.environ[name] for name in named}
    return values | {
        name: secrets.token_hex(32) for name in secret_names(task) if name == RANKS_KEY
    }
