"""A launcher whose jobs are files, which outlive whoever submits them, and which counts.

It is as bad as the protocol lets a launcher be: every submission is another job, whatever its name;
what was submitted can be hidden from everybody for as long as `unseen` says; an answer can be lost.
The folder is the server: `behaviour.json` says how it behaves, `jobs/<n>.json` are the jobs.

The calls with an effect are `outside.…` events for crash_points. What is done inside of them is the
server's own doing and no crash point: it is whole, or it is not.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from crash_points import unwatched

from runner.errors import OutsideError, Refused, Unclear
from runner.launchers.base import Found, JobStatus, Reach, Shell
from runner.node.task import NodeTask

ENDPOINT = "counting:here"
US = "us"


@dataclass(frozen=True)
class Behaviour:
    """How the server and the time pass."""

    unseen: float = 900.0
    """Seconds; 0.001 is as if they had passed since every claim."""
    hides: bool = False
    """Whether what is submitted is not found until they have passed."""
    answer: str = ""
    """`unclear`, `bug`: what submit raises after the job was made; `refused`: before."""
    is_remote: bool = True

    @property
    def has_passed(self) -> bool:
        return self.unseen < 1


@dataclass(frozen=True)
class Job:
    """One submission."""

    number: int
    name: str
    run_id: str
    attempt: str
    nonce: str
    user: str = US
    state: str = "waiting"
    outcome: str | None = None
    detail: str = ""
    since: str | None = None
    printed: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        return f"{self.number}-{self.name}"

    @property
    def status(self) -> JobStatus:
        about: Any = {"state": self.state, "outcome": self.outcome}
        return JobStatus(detail=self.detail, since=self.since, **about)


class JobServer:
    """What is behind the launcher: looked at and changed by the tests as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs = folder / "jobs"

    @property
    def behaviour(self) -> Behaviour:
        path = self.folder / "behaviour.json"
        return Behaviour(**json.loads(path.read_text())) if path.exists() else Behaviour()

    def behave(self, **changes: Any) -> None:
        self._jobs.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(replace(self.behaviour, **changes)))
        (self.folder / "behaviour.json").write_text(text)

    @property
    def jobs(self) -> list[Job]:
        paths = sorted(self._jobs.glob("[0-9]*.json"), key=lambda path: int(path.stem))
        return [_job(path) for path in paths]

    def job(self, job: str) -> Job | None:
        """Return the newest job of that id or name."""
        found = [one for one in self.jobs if job in (one.id, one.name)]
        return found[-1] if found else None

    def add(self, task: NodeTask) -> Job:
        while True:
            number = len(self.jobs) + 1
            job = Job(number, task.job, task.run_id, task.attempt, task.nonce)
            with suppress(FileExistsError):
                self._put(job, os.link)
                return job

    def put(self, job: Job) -> None:
        self._put(job, os.rename)

    def _put(self, job: Job, move: Callable[[Path, Path], None]) -> None:
        """Let the file be there as a whole."""
        new = self._jobs / f".{secrets.token_hex(8)}"
        new.write_text(json.dumps(asdict(job)))
        try:
            move(new, self._jobs / f"{job.number}.json")
        finally:
            new.unlink(missing_ok=True)

    def change(self, job: str, **values: Any) -> None:
        found = self.job(job)
        assert found, f"there is no job {job}"
        self.put(replace(found, **values))


def _job(path: Path) -> Job:
    values = json.loads(path.read_text())
    return Job(**{**values, "printed": tuple(values["printed"])})


class CountingLauncher:
    """Jobs of a JobServer, as the commands see them."""

    name = "skypilot"

    def __init__(self, folder: Path) -> None:
        self._server = JobServer(folder)
        self._behaviour = self._server.behaviour
        self.is_remote = self._behaviour.is_remote
        self.unseen = self._behaviour.unseen

    def endpoint(self) -> str:
        return ENDPOINT

    def reach(self, endpoint: str) -> Reach:
        return "here" if endpoint == ENDPOINT else "elsewhere"

    def submit(self, task: NodeTask) -> str:
        sys.audit("outside.submit", task.job)
        if self._behaviour.answer == "refused":
            raise OutsideError("the server is full")
        with unwatched():
            job = self._server.add(task)
        sys.audit("outside.submitted", task.job)
        if self._behaviour.answer == "unclear":
            raise Unclear("the server has not said whether it took the job")
        if self._behaviour.answer == "bug":
            raise RuntimeError("a fault of the client, after the job was made")
        return job.id

    def find(self, names: Sequence[str], *, wait: bool = True) -> Mapping[str, str]:
        with unwatched():
            hidden = self._behaviour.hides and not self._behaviour.has_passed
            jobs = () if hidden else self._server.jobs
            return {job.name: job.id for job in jobs if job.name in names}

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        with unwatched():
            found = {one: self._server.job(one) for one in jobs}
        return {one: job.status if job else JobStatus("unknown") for one, job in found.items()}

    def cancel(self, job: str) -> None:
        sys.audit("outside.cancel", job)
        with unwatched():
            for one in self._server.jobs:
                if job in (one.id, one.name) and one.state != "ended":
                    self._server.put(replace(one, state="ended", outcome="cancelled"))
        sys.audit("outside.cancelled", job)

    def logs(self, job: str, *, follow: bool) -> Iterator[str]:
        with unwatched():
            found = self._server.job(job)
        yield from found.printed if found else ()

    def links(self, job: str) -> Mapping[str, str]:
        return {}

    def shell(self, job: str) -> Shell:
        raise Refused(f"{job} is only a file")

    def keep_prices(self) -> None:
        """Do nothing: files have no prices."""

    def release(self, job: str) -> None:
        self.cancel(job)

    def left(self, jobs: Sequence[str]) -> Mapping[str, str]:
        going = [one for one in jobs if (job := self._server.job(one)) and job.state != "ended"]
        return dict.fromkeys(going, "goes on")

    def leaks(self, explained: Collection[str]) -> Found:
        return Found(())

    def about(self) -> str:
        return "files"
