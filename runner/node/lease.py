"""The gate of "one training": who may write into the folder of an attempt in the run store.

    lease.json              the first to create it, exclusively, holds epoch 1
    lease.epoch-<n>.json    the same job, started again by its launcher, takes over as epoch n
    refused-<job>.json      the mark of another job that came too late, and stopped

The store decides, by letting exactly one process create an object; whoever fails has lost, for
certain. Clocks play no part: a lease does not run out. A lease that did would have to guess from a
silence whether its holder is dead or only slow, and two trainings at once, each of which believes
that it is alone, cost more than one that has to be started again by a person. What is dead is
declared so by its launcher, which knows its processes, and the next attempt has another folder.

A holder that was taken over writes below its own `epoch-<n>/` only, so a late write harms nobody.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

from pydantic import Field, ValidationError

from runner.errors import LeaseHeld, OutsideError
from runner.ledger.record import ledger_json, now
from runner.spec.section import Section
from runner.storage.store import RunStore

MOST_EPOCHS = 1000
"""A job that was started again more often is not recovering but failing."""
MANAGED_JOB_ID = "SKYPILOT_MANAGED_JOB_ID"
"""SkyPilot's number of a managed job, which it keeps for good."""
TASK_ID = "SKYPILOT_TASK_ID"
"""SkyPilot's own id of a job, on a cluster that is kept as well. That of a managed job begins with
when its controller was started: it is another one after a restart of the API server (_load_dag in
sky/jobs/controller.py, SkyPilot 0.14.1)."""


class Lease(Section):
    """The right of one process to be the training of an attempt."""

    run_id: str
    attempt: str
    """`a<n>`, or `r<n>` for a repeat."""
    job: str
    """The launcher's id of the job: the same when the launcher has started it again."""
    nonce: str
    """Of the claim in the ledger."""
    epoch: int = Field(ge=1)
    host: str
    taken_at: str
    """For people; nothing is decided by it."""
    start: str = ""
    """Random, of one start of the job: by it a start knows its own lease again."""

    @property
    def folder(self) -> str:
        """Name of the folder, inside the attempt's, that its holder writes to."""
        return f"epoch-{self.epoch}"


def holder(name: str, environment: Mapping[str, str]) -> str:
    """Return the launcher's id of the job submitted as `name`, whose node has `environment`."""
    own = environment.get(MANAGED_JOB_ID) or environment.get(TASK_ID, "")
    return f"{name} {own}".rstrip()


def acquire(
    store: RunStore, folder: str, run_id: str, attempt: str, job: str, nonce: str, start: str = ""
) -> Lease:
    """Take the lease of `folder` in `store`, or take it over from an earlier start of this job.

    `job` is the launcher's id of the job, which a recovered job keeps: never its name alone, since
    a submission that was sent twice makes two jobs of one name. A `start` may call it again when
    the store has not answered: it gets the lease that it has taken without knowing.

    Raises LeaseHeld, after leaving a mark, when another job holds it; OutsideError when the store
    does not answer or holds a lease that cannot be read.
    """
    lease = Lease(
        run_id=run_id,
        attempt=attempt,
        job=job,
        nonce=nonce,
        epoch=1,
        host=socket.gethostname(),
        taken_at=now(),
        start=start,
    )
    for epoch in range(1, MOST_EPOCHS + 1):
        mine = lease.model_copy(update={"epoch": epoch})
        if store.create(_name(folder, epoch), _json(mine)):
            return mine
        held = _read(store, folder, epoch)
        _must_be_ours(store, folder, held, mine)
        # A bucket that took our object, but lost the answer, says that it exists.
        if held and start and held.start == start:
            return held
    raise OutsideError(f"{store.url(folder)} was taken over {MOST_EPOCHS} times")


def current(store: RunStore, folder: str) -> Lease | None:
    """Return the lease of the newest epoch, None when nobody has taken one.

    Raises OutsideError when the store does not answer or a lease cannot be read.
    """
    newest = None
    for epoch in range(1, MOST_EPOCHS + 1):
        lease = _read(store, folder, epoch)
        if lease is None:
            break
        newest = lease
    return newest


def refused(store: RunStore, folder: str) -> tuple[str, ...]:
    """Return the names of the marks that jobs left which came too late."""
    names = (name.rpartition("/")[2] for name in store.list(folder))
    return tuple(name for name in names if name.startswith("refused-"))


def _must_be_ours(store: RunStore, folder: str, held: Lease | None, mine: Lease) -> None:
    if held is None:
        raise OutsideError(f"the lease of {store.url(folder)} vanished while it was read")
    if (held.run_id, held.attempt, held.job, held.nonce) == _claim(mine):
        return
    mark = f"{folder}/refused-{_plain(mine.job)}.json"
    store.put(mark, ledger_json({"held_by": held.model_dump(), "refused": mine.model_dump()}))
    raise LeaseHeld(
        f"attempt {mine.attempt} of run {mine.run_id} is being trained by job {held.job} on "
        f"{held.host} since {held.taken_at}; job {mine.job} stops",
        cure=f"runner retry {mine.run_id}   makes another attempt, once this one has ended",
    )


def _claim(lease: Lease) -> tuple[str, str, str, str]:
    return lease.run_id, lease.attempt, lease.job, lease.nonce


def _read(store: RunStore, folder: str, epoch: int) -> Lease | None:
    content = store.get(_name(folder, epoch))
    try:
        return None if content is None else Lease.model_validate_json(content)
    except ValidationError as error:
        where = store.url(_name(folder, epoch))
        raise OutsideError(f"{where} cannot be read: {error.errors()[0]['msg']}") from error


def _json(lease: Lease) -> bytes:
    return ledger_json(lease.model_dump())


def _name(folder: str, epoch: int) -> str:
    return f"{folder}/lease.json" if epoch == 1 else f"{folder}/lease.epoch-{epoch}.json"


def _plain(job: str) -> str:
    """Return `job` as a part of a file's name."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in job)[:100]
