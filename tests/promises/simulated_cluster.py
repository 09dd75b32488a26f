"""A place where jobs run, as bad as SkyPilot on spot machines may be, with a clock of its own.

Jobs are rows; a node program is what `Cluster.happen` does to one of them, with the product's own
lease and marks in a real run store. What the launcher promises (runner/launchers/base.py) it keeps,
but for a submission that is seen later than `unseen` says, which `is_late` brings about.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from node_evidence import make_evidence

from runner import sync
from runner.errors import LeaseHeld, OutsideError, Unclear
from runner.following import limits
from runner.launchers.base import JobStatus, Reach
from runner.launching import submission
from runner.ledger import record
from runner.node import restarts
from runner.node.channel import EVIDENCE, HEARTBEAT, RESULT
from runner.node.lease import acquire
from runner.node.task import EXIT_FAILED, NodeTask, Result
from runner.node.whereabouts import WHERE
from runner.storage.store import RunStore

ENDPOINT = "simulated:here"
PLACES = ("k8s/pool", "gcp/us-central1")
_NOWHERE = Path("/nonexistent")


class Clock:
    """The time: this machine's, and what has been skipped; commands may have one that is wrong."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.skipped = timedelta()
        self.wrong_by = timedelta()
        """How far the clock of whoever commands now is ahead."""
        clock = self

        class Shifted(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return clock.now() + clock.wrong_by

        for module in (limits, record, submission, sync):
            monkeypatch.setattr(module, "datetime", Shifted)
        monkeypatch.setattr(RunStore, "now", lambda _: clock.now())

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skipped

    def text(self) -> str:
        return self.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Job:
    """One job; of one name there may be several."""

    number: int
    task: NodeTask
    seen_from: datetime
    """Before, the server has not taken it up: nobody finds it, and nothing of it runs."""
    state: str = "waiting"
    since: str = ""
    detail: str = "waiting for a machine"
    outcome: Any = None
    starts: int = 0
    epoch: int = 0
    step: int = 0

    @property
    def id(self) -> str:
        return f"job-{self.number}-{self.task.job}"

    @property
    def store(self) -> RunStore:
        return RunStore(self.task.store)


@dataclass
class Mood:
    """How the cluster treats one command."""

    is_away: bool = False
    loses_answers: float = 0.0
    refuses: float = 0.0
    delays: float = 0.0
    is_late: bool = False
    """Whether what is delayed is so for longer than `unseen`."""


@dataclass
class Cluster:
    """All jobs of one API server, and what was trained."""

    clock: Clock
    seed: int
    mood: Mood = field(default_factory=Mood)
    jobs: list[Job] = field(default_factory=list)
    trained: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Jobs that have trained, by run and attempt: the promise is one of each."""
    finished: set[tuple[str, str]] = field(default_factory=set)
    """Attempts whose node program has told of success."""
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    # What happens by itself

    @property
    def living(self) -> list[Job]:
        found = [one for one in self.jobs if one.state != "ended"]
        return sorted(found, key=lambda one: (one.task.run_id, one.task.attempt, one.number))

    def happen(self, job: Job, choice: random.Random) -> str:
        """Let something happen to a job; return what, in words."""
        if job.seen_from > self.clock.now():
            return f"{job.id} is not there yet"
        if job.state == "waiting":
            return self._get_machines(job) if choice.random() < 0.8 else self._give_up(job)
        what = choice.random()
        if what < 0.45:
            return self._train(job)
        if what < 0.6:
            return self._interrupt(job, is_told=choice.random() < 0.5)
        if what < 0.9:
            return self._finish(job, code=0 if choice.random() < 0.8 else 1)
        return self._vanish(job)

    def _get_machines(self, job: Job) -> str:
        job.starts += 1
        try:
            lease = acquire(
                job.store,
                job.task.attempt,
                job.task.run_id,
                job.task.attempt,
                f"{job.task.job} {job.number}",
                job.task.nonce,
            )
        except LeaseHeld:
            self.counts["jobs that found the lease held"] += 1
            self._end(job, "its node program exited 1", "failed")
            return f"{job.id} finds the lease held"
        job.epoch, job.state, job.since = lease.epoch, "running", self._second()
        done = restarts.restarts_of(job.store, job.task.attempt, lease.epoch, job.task.limits)
        if restarts.is_cancelled(_NOWHERE, job.store, job.task.attempt) or done.last:
            self._put(job, RESULT, Result(exit_code=EXIT_FAILED, cancelled=not done.last))
            self._end(job)
            return f"{job.id} finds that it was cancelled"
        self._begin(job)
        return f"{job.id} trains as epoch {job.epoch}"

    def _begin(self, job: Job) -> None:
        task = job.task
        self.trained[task.run_id, task.attempt].add(job.id)
        trained = self.trained[task.run_id, task.attempt]
        assert len(trained) == 1, f"two trainings of {task.run_id} {task.attempt}: {trained}"
        beside = [
            one.id
            for one in self.living
            if one is not job and one.task.run_id == task.run_id and one.state == "running"
        ]
        assert not beside, f"{job.id} trains beside {beside}"
        where = {"where": PLACES[0], "started_at": self._second(), "first_step": job.step}
        job.store.put(self._name(job, WHERE), json.dumps(where).encode())
        self._beat(job, "training")

    def _train(self, job: Job) -> str:
        job.step = min(job.step + 1, job.task.steps or 8)
        self._beat(job, "training")
        return f"{job.id} is at step {job.step}"

    def _interrupt(self, job: Job, *, is_told: bool) -> str:
        if is_told:
            self._beat(job, restarts.INTERRUPTED)
        job.state, job.since, job.detail = "waiting", self._second(), "its machines are gone"
        return f"{job.id} is preempted"

    def _finish(self, job: Job, code: int) -> str:
        steps = job.task.steps or 8
        job.step = steps if code == 0 else job.step
        self._beat(job, restarts.ENDED)
        evidence = make_evidence(exit_code=code, last_step=job.step, steps=steps)
        self._put(job, EVIDENCE, evidence)
        self._put(job, RESULT, Result(exit_code=0 if code == 0 else EXIT_FAILED))
        if code == 0:
            self.finished.add((job.task.run_id, job.task.attempt))
        self._end(job)
        return f"{job.id} ends with {code}"

    def _vanish(self, job: Job) -> str:
        self._end(job, "its machine is gone")
        return f"{job.id} is gone without a word"

    def _give_up(self, job: Job) -> str:
        self._end(job, "no place has such machines", "no_capacity")
        return f"{job.id} gets no machines"

    def _end(self, job: Job, detail: str = "", outcome: str | None = None) -> None:
        job.state, job.detail, job.outcome, job.since = "ended", detail, outcome, self._second()

    def _beat(self, job: Job, phase: str) -> None:
        beat = {"time": self.clock.text(), "phase": phase, "step": job.step, "steps": 8}
        job.store.put(self._name(job, HEARTBEAT), json.dumps(beat | {"seconds": 60.0}).encode())
        heard = self.clock.now().timestamp()  # by the store's clock, which is right
        os.utime(job.store.url(self._name(job, HEARTBEAT)), (heard, heard))

    def _put(self, job: Job, name: str, content: Any) -> None:
        job.store.put(self._name(job, name), content.model_dump_json().encode())

    def _name(self, job: Job, name: str) -> str:
        return f"{job.task.attempt}/epoch-{job.epoch}/{name}"

    def _second(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # What is asked of it

    def take(self, task: NodeTask, unseen: float) -> Job:
        """Take a submission; raises as the mood is."""
        tries = sum(one.task.job == task.job for one in self.jobs)
        # Submissions are made in threads: their luck must not depend on the order of these.
        mine = random.Random(f"{self.seed} {task.run_id} {task.attempt} {tries}")  # noqa: S311
        if mine.random() < self.mood.refuses:
            self.counts["submissions refused"] += 1
            raise OutsideError("the server is too busy")
        late = mine.random() < self.mood.delays
        most = unseen * (2.0 if self.mood.is_late else 0.9)
        wait = timedelta(seconds=mine.uniform(0, most) if late else 0)
        with self.lock:
            job = Job(len(self.jobs) + 1, task, self.clock.now() + wait, since=self._second())
            self.jobs.append(job)
        self.counts["submissions"] += 1
        self.counts["submissions seen late"] += late
        sys.audit("outside.submitted", task.job)
        if late or mine.random() < self.mood.loses_answers:
            self.counts["answers of submit lost"] += 1
            raise Unclear("the answer was lost")
        return job

    def seen(self) -> list[Job]:
        return [one for one in self.jobs if one.seen_from <= self.clock.now()]

    def by_id(self, job: str) -> Job | None:
        return next((one for one in self.seen() if one.id == job), None)

    def stop(self, job: Job) -> None:
        if job.state != "ended":
            self._end(job, "cancelled in the cluster", "cancelled")


class SimulatedLauncher:
    """The launcher of one clone; all are at one server."""

    name = "skypilot"
    is_remote = True
    unseen = 900.0

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def endpoint(self) -> str:
        return ENDPOINT

    def reach(self, endpoint: str) -> Reach:
        return "here" if endpoint == ENDPOINT else "elsewhere"

    def submit(self, task: NodeTask) -> str:
        self._ask("submit", task.job)
        known = self.find([task.job]).get(task.job)
        return known or self._cluster.take(task, self.unseen).id

    def find(self, names: Sequence[str], *, wait: bool = True) -> Mapping[str, str]:
        self._ask("find")
        ordered = sorted(self._cluster.seen(), key=lambda one: (one.state != "ended", one.number))
        return {one.task.job: one.id for one in ordered if one.task.job in names}

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        away = self._cluster.mood.is_away
        return {job: JobStatus("unknown") if away else self._status(job) for job in jobs}

    def _status(self, job: str) -> JobStatus:
        found = self._cluster.by_id(job)
        if found is None:
            return JobStatus("unknown", "the server has no record of it")
        return JobStatus(
            found.state,  # type: ignore[arg-type]
            found.detail if found.state != "running" else "",
            where=PLACES[0],
            since=found.since,
            recoveries=max(0, found.starts - 1),
            outcome=found.outcome,
        )

    def cancel(self, job: str) -> None:
        self._ask("cancel", job)
        for one in self._cluster.seen():
            if job in (one.id, one.task.job):
                self._cluster.stop(one)
        sys.audit("outside.cancelled", job)

    def logs(self, job: str, *, follow: bool) -> Iterator[str]:
        self._ask("logs")
        yield "a line"

    def keep_prices(self) -> None:
        """Do nothing: nothing here has a price."""

    def _ask(self, what: str, about: str = "") -> None:
        sys.audit(f"outside.{what}", about)
        if self._cluster.mood.is_away:
            raise OutsideError("the server does not answer")
