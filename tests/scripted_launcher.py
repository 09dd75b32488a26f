"""A launcher whose jobs fare as a test says, and which notes what it is asked and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.errors import OutsideError, Refused
from runner.launchers.base import JobStatus, Reach, Shell
from runner.node.task import NodeTask

ENDPOINT = "scripted:here"


class ScriptedLauncher:
    """Jobs in a table."""

    name = "skypilot"
    is_remote = True
    unseen = 0.0

    def __init__(self) -> None:
        self.statuses: dict[str, JobStatus] = {}
        self.submitted: list[NodeTask] = []
        self.calls: list[str] = []
        self.printed: tuple[str, ...] = ()
        self.is_away = False

    def endpoint(self) -> str:
        return ENDPOINT

    def reach(self, endpoint: str) -> Reach:
        return "here" if endpoint == ENDPOINT else "elsewhere"

    def submit(self, task: NodeTask) -> str:
        self._note(f"submit {task.attempt}")
        self.submitted.append(task)
        job = f"job-{task.job}"
        self.statuses[job] = JobStatus("waiting", "waiting for H100:8")
        return job

    def find(self, names: Sequence[str], *, wait: bool = True) -> Mapping[str, str]:
        self._note(f"find {len(names)}" if wait else f"look for {len(names)}")
        return {name: f"job-{name}" for name in names if f"job-{name}" in self.statuses}

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        self.calls.append(f"poll {len(jobs)}")
        unknown = JobStatus("unknown", "the server does not answer")
        return {job: unknown if self.is_away else self.statuses.get(job, unknown) for job in jobs}

    def cancel(self, job: str) -> None:
        self._note(f"cancel {job}")
        self.statuses[job] = JobStatus("ended", "cancelled in SkyPilot", outcome="cancelled")

    def logs(self, job: str, *, follow: bool) -> Iterator[str]:
        self._note(f"logs {job}")
        yield from self.printed

    def links(self, job: str) -> Mapping[str, str]:
        return {}

    def shell(self, job: str) -> Shell:
        raise Refused(f"{job} is only a row of a table")

    def keep_prices(self) -> None:
        """Do nothing: a table has no prices."""

    def release(self, job: str) -> None:
        self.cancel(job)

    def left(self, jobs: Sequence[str]) -> Mapping[str, str]:
        going = (job for job in jobs if self.statuses[job].state != "ended")
        return dict.fromkeys(going, "goes on")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.is_away:
            raise OutsideError("the server does not answer")
