"""What a launcher is to the rest of the product: it submits a node program and follows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from runner.node.task import NodeTask

JobState = Literal["waiting", "running", "ended", "unknown"]
"""`ended`: nothing of it goes on. `unknown`: the launcher cannot say now; ask again."""

Reach = Literal["here", "gone", "elsewhere"]
"""`gone`: what ran there cannot run any more, such as processes before a reboot."""


class JobStatus(NamedTuple):
    """What a launcher knows of a job."""

    state: JobState
    detail: str = ""
    """One sentence for people, such as what it waits for."""


class Launcher(Protocol):
    """A way to run node programs."""

    name: str

    def endpoint(self) -> str:
        """Return where its jobs live: only from the same endpoint may a job be declared lost."""

    def reach(self, endpoint: str) -> Reach:
        """Return whether jobs of `endpoint` are ours, are gone for good, or are elsewhere."""

    def submit(self, task: NodeTask) -> str:
        """Start `task` and return the job's id; for a job that exists already, that one's id.

        Raises OutsideError when it cannot be started; then nothing runs.
        """

    def find(self, job: str) -> str | None:
        """Return the id of the job submitted as `job`; None when there is none."""

    def poll(self, job: str) -> JobStatus:
        """Return how the job `job` fares."""

    def cancel(self, job: str) -> None:
        """Stop the job and wait until nothing of it is left. An ended job is left as it is."""

    def logs(self, job: str, *, follow: bool) -> Iterator[str]:
        """Yield the lines that the node program wrote; with `follow` until the job ends."""
