"""What an operation asks of others, counted: pushes, fetches, git's processes, the run store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from runner.git.process import GitProcess
from runner.git.remote import Remote
from runner.git.repository import Repository
from runner.launchers.base import JobState, JobStatus
from runner.node.task import NodeTask
from runner.storage.store import RunStore


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count while everything is really done; the names are `push`, `git`, `store get` …"""
    found: Counter[str] = Counter()

    def noting(what: Callable[..., dict[str, int]], call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Any, *arguments: Any, **named: Any) -> Any:
            found.update(what(*arguments))
            return call(self, *arguments, **named)

        return noted

    counters: list[tuple[type, str, Callable[..., dict[str, int]]]] = [
        (Remote, "push", lambda *_: {"push": 1}),
        (GitProcess, "start", lambda *_: {"git": 1}),
        (Repository, "_read_batch", lambda names: {"ledger and tree files": len(names)}),
        (RunStore, "_outside", lambda verb, _: {f"store {verb}": 1}),
    ]
    with ExitStack() as stack:
        for owner, name, what in counters:
            stack.enter_context(patch.object(owner, name, noting(what, getattr(owner, name))))
        yield found


class CountingLauncher:
    """A launcher that starts nothing and says of every job what `status` is; calls are counted."""

    name = "skypilot"
    is_remote = True
    unseen = 0.0

    def __init__(self, state: JobState = "running") -> None:
        """Say of every job that it is `state`."""
        self.status = JobStatus(state)
        self.calls: Counter[str] = Counter()

    def endpoint(self) -> str:
        """Return the one endpoint there is."""
        return "https://sky.example.invalid default"

    def reach(self, endpoint: str) -> str:
        """Return that its own jobs are here."""
        return "here" if endpoint == self.endpoint() else "elsewhere"

    def submit(self, task: NodeTask) -> str:
        """Return a job's id."""
        self.calls["submit"] += 1
        return f"job-{task.job}"

    def find(self, names: list[str], *, wait: bool = True) -> dict[str, str]:
        """Find no job."""
        self.calls["find"] += 1
        return {}

    def poll(self, jobs: list[str]) -> dict[str, JobStatus]:
        """Return how the jobs fare."""
        self.calls["poll"] += 1
        return dict.fromkeys(jobs, self.status)

    def keep_prices(self) -> None:
        """Know no prices."""
