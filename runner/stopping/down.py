"""Stopping everything of an experiment, and looking whether anything is left.

    runs and repeats on the ledger -> the jobs of all attempts -> released -> what is still there

Ended attempts count: a cluster that a spec asked to keep outlives its run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from runner import screen
from runner.errors import EXIT_OUTSIDE, OutsideError, Refused, RunnerError
from runner.forges import open_forge
from runner.launchers import LAUNCHERS
from runner.launchers.base import Launcher
from runner.launching.tasks import job_name
from runner.ledger.record import RunRecord
from runner.ledger.snapshot import Snapshot
from runner.repeating.repeats import Claim, Failed, claims, keep
from runner.stopping.cancel import cancel, submitting
from runner.workspace import Workspace

AT_ONCE = 8
"""Jobs that are given back at the same time: each waits for its machines to be gone."""


class Job(NamedTuple):
    """Something that an experiment has submitted."""

    title: str
    """For people, such as `run b71c0e4d91aa, attempt 2`."""
    launcher: str
    endpoint: str
    name: str
    """The name that it was submitted under."""
    id: str | None
    is_open: bool
    """Whether nobody has seen it end."""


class TakenDown(NamedTuple):
    """What was done, and what is left."""

    stopped: tuple[RunRecord, ...]
    released: tuple[str, ...]
    left: tuple[str, ...]
    """Each with what it is and why it could not be stopped."""

    @property
    def exit_code(self) -> int:
        """Return 3 when something is left."""
        return EXIT_OUTSIDE if self.left else 0

    def show(self, name: str) -> None:
        """Print what was stopped, and what is left."""
        for title in self.released:
            screen.print_result(f"{title}: stopped, and its machines are given back")
        for record in self.stopped:
            screen.print_result(f"{record.run_id} {record.experiment}: {record.latest.outcome}")
        for words in self.left:
            screen.print_error(words, "runner doctor --leaks   lists it, with what removes it")
        if not self.left:
            screen.say(f"nothing of {name} is left")


def take_down(workspace: Workspace, name: str) -> TakenDown:
    """Stop all runs and repeats of an experiment, or of one run, and give back what was kept.

    Raises Refused when nothing has that name, OutsideError when the ledger does not answer.
    """
    snapshot = workspace.ledger.fetch()
    records = _records(snapshot, name)
    repeats = [claim for record in records for claim in claims(snapshot, record.run_id)]
    jobs = [*_attempts(records), *_repeats(repeats)]
    errors: dict[str, str] = {}
    with submitting(workspace), ThreadPoolExecutor(AT_ONCE) as pool:
        there = [job for job in jobs if _is_there(workspace, job, errors)]
        outcomes = pool.map(lambda job: _release(workspace, job), there)
        failed = {job.title: why for job, why in zip(there, outcomes, strict=True) if why}
    errors |= failed
    released = [job for job in there if job.title not in failed]
    _conclude(workspace, records, repeats, {job.name for job in released})
    stopped = tuple(_recorded(workspace, records, errors))
    left = tuple(f"{title}: {why}" for title, why in errors.items())
    return TakenDown(stopped, tuple(job.title for job in released), left)


def _records(snapshot: Snapshot, name: str) -> list[RunRecord]:
    entry = snapshot.experiment(name)
    if entry is None:
        return [snapshot.find(name)]
    return list(snapshot.records((*entry.history, *entry.runs)).values())


def _attempts(records: Iterable[RunRecord]) -> Iterator[Job]:
    for record in records:
        for one in record.attempts:
            title = f"run {record.run_id}, attempt {one.number}"
            name = job_name(record.run_id, f"a{one.number}", one.nonce)
            if one.state != "ended" or one.job:
                going = one.state != "ended"
                yield Job(title, one.launcher, one.endpoint, name, one.job, going)


def _repeats(found: Iterable[Claim]) -> Iterator[Job]:
    for one in found:
        title = f"run {one.run_id}, repeat {one.label}"
        yield Job(title, one.launcher, one.endpoint, one.name, one.job, one.verdict is None)


def _is_there(workspace: Workspace, job: Job, errors: dict[str, str]) -> bool:
    """Whether something of `job` goes on or is kept; what cannot be told is put into `errors`."""
    launcher = _launcher(workspace, job)
    reach = launcher.reach(job.endpoint)
    if reach != "here":
        if reach == "elsewhere" and job.is_open:
            errors[job.title] = f"it was launched elsewhere: {job.endpoint}"
        return False
    try:
        found = job.id or launcher.find([job.name]).get(job.name)
        return bool(found and launcher.left([found]))
    except OutsideError as error:
        errors[job.title] = error.message
        return False


def _release(workspace: Workspace, job: Job) -> str:
    """Give back what `job` has; return what is left and why, empty for nothing."""
    launcher = _launcher(workspace, job)
    try:
        found = job.id or launcher.find([job.name]).get(job.name, job.name)
        launcher.release(found)
        return ", ".join(launcher.left([found]).values())
    except RunnerError as error:
        return error.message


def _recorded(
    workspace: Workspace, records: Iterable[RunRecord], errors: dict[str, str]
) -> Iterator[RunRecord]:
    """Write the runs that went on into the ledger as cancelled; yield them."""
    forge = open_forge(workspace)
    for record in records:
        if not record.is_active or _run(record) in errors:
            continue
        launcher = LAUNCHERS[record.latest.launcher](workspace)
        try:
            yield cancel(workspace, launcher, forge, record.run_id)
        except Refused:  # it has ended meanwhile
            continue
        except RunnerError as error:
            errors[_run(record)] = error.message


def _conclude(
    workspace: Workspace,
    records: Iterable[RunRecord],
    repeats: Iterable[Claim],
    released: Collection[str],
) -> None:
    """Write the repeats that were stopped into the ledger: there is nothing to compare."""
    of = {record.run_id: record for record in records}
    for one in repeats:
        if one.verdict is None and one.name in released:
            keep(workspace, Failed(of[one.run_id], one.label, "stopped by hand", EXIT_OUTSIDE))


def _run(record: RunRecord) -> str:
    return f"run {record.run_id}, attempt {record.latest.number}"


def _launcher(workspace: Workspace, job: Job) -> Launcher:
    return LAUNCHERS[job.launcher](workspace)
