"""What a launcher is to the rest of the product: it submits a node program and follows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
    """One sentence for people: what it waits for, or why it ended if no node could say so."""
    where: str = ""
    """The place that it runs at, or that was tried last, as SkyPilot writes `infra`."""
    since: str | None = None
    """When it got into this state, as the ledger writes times; None where nobody knows."""
    recoveries: int = 0
    """How often the launcher has started it again."""
    outcome: Literal["cancelled", "no_capacity", "failed"] | None = None
    """What the launcher knows of an end that the node could not tell; the node's word counts more.
    """
    is_queued: bool = False
    """Whether it waits for its turn, and no place is tried for it: no wait for capacity."""


RAY_DASHBOARD = 8265
"""Port of Ray's dashboard on a job's first node; Ray's own default."""


class Shell(NamedTuple):
    """The way to a shell on a job's first node; each command is an argument list."""

    command: tuple[str, ...]
    before: tuple[str, ...] = ()
    """What is called first, such as what fetches the key; empty for nothing."""
    forward: tuple[str, ...] = ()
    """What makes the node's RAY_DASHBOARD a port of this machine; empty for nothing."""
    otherwise: str = ""
    """What a person does where the command does not get there."""


class Leak(NamedTuple):
    """Something of ours that goes on, or holds machines, and that nobody waits for."""

    what: str
    """In words: which job, cluster or process, in which state."""
    name: str
    """The name that it was submitted under."""
    remove: str
    """The command that removes it."""


class Found(NamedTuple):
    """What is there besides what the ledger explains."""

    leaks: tuple[Leak, ...]
    strangers: int = 0
    """What others have there, which is none of our business."""


class Launcher(Protocol):
    """A way to run node programs."""

    name: str
    is_remote: bool
    """Whether its jobs run on other machines: then they outlive this one, and may cost money."""
    unseen: float
    """Seconds for which nobody may find what was submitted and not answered; 0 where all do at
    once."""

    def endpoint(self) -> str:
        """Return where its jobs live: only from the same endpoint may a job be declared lost."""

    def reach(self, endpoint: str) -> Reach:
        """Return whether jobs of `endpoint` are ours, are gone for good, or are elsewhere."""

    def submit(self, task: NodeTask) -> str:
        """Start `task` and return the job's id; for a job that exists already, that one's id.

        Raises OutsideError when it cannot be started; then nothing runs, unless it is Unclear.
        """

    def find(self, names: Sequence[str], *, wait: bool = True) -> Mapping[str, str]:
        """Return the ids of the jobs submitted under `names`, by name, where there is one.

        A submission of one of them that is still under way is waited for, since it is about to be
        a job. Raises OutsideError when it cannot be told; without `wait` also while one is under
        way.
        """

    def poll(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Return how each of `jobs` fares; `unknown` while the launcher cannot be asked."""

    def cancel(self, job: str) -> None:
        """Stop the job and wait until nothing of it is left. An ended job is left as it is."""

    def logs(self, job: str, *, follow: bool) -> Iterator[str]:
        """Yield the lines that the node program wrote; with `follow` until the job ends."""

    def links(self, job: str) -> Mapping[str, str]:
        """Return the launcher's own pages on the job, as URLs by what they show; may be empty."""

    def shell(self, job: str) -> Shell:
        """Return how a shell on the job's first node is had.

        Raises Refused when there is none, with what to do instead; OutsideError when that cannot
        be told now.
        """

    def release(self, job: str) -> None:
        """Cancel the job, and give back the machines that are kept for it; wait until that is so.

        An ended job's machines are given back as well.
        """

    def left(self, jobs: Sequence[str]) -> Mapping[str, str]:
        """Return what is still there of `jobs`, in words, by job: going on, or machines kept.

        Raises OutsideError when that cannot be told.
        """

    def leaks(self, explained: Collection[str]) -> Found:
        """Return what is there, of all users, but for the names as submitted in `explained`.

        Raises OutsideError when that cannot be told.
        """

    def keep_prices(self) -> None:
        """Bring what its places cost up to date on the ledger, where it knows; best effort."""

    def about(self) -> str:
        """Return what it is and where it may run jobs, in words.

        Raises OutsideError or Refused when it would not take any now.
        """
