"""What a run printed: its trainer, or, as long as that has said nothing, its launcher."""

from __future__ import annotations

import time
from collections.abc import Iterator

from runner import screen
from runner.errors import OutsideError, RunnerError
from runner.launchers import LAUNCHERS
from runner.launchers.base import Launcher
from runner.ledger.record import RunRecord
from runner.planning.asked import newest_snapshot
from runner.storage.runfolder import LAUNCHER_LOG, AttemptFolder, attempt_folder
from runner.sync import is_here, job_state
from runner.workspace import Workspace

FOLLOW_SECONDS = 1.0
LAUNCHER_SECONDS = 10.0
"""Between looks at what a server has to be asked for."""
MARK = "launcher | "
"""Before each line that is no trainer's."""


def follow_log(
    workspace: Workspace, name: str, *, follow: bool, of_launcher: bool = False
) -> Iterator[str]:
    """Yield the output of a run's newest attempt; with `follow` until it has ended.

    Before its trainer has printed anything, and `of_launcher` in any case, the launcher's own
    lines, each behind MARK. Raises OutsideError when what an ended run printed is not to be had.
    """
    record = newest_snapshot(workspace).find(name)
    launcher = LAUNCHERS[record.latest.launcher](workspace)
    if of_launcher:
        yield from _all_of_the_launcher(launcher, record, attempt_folder(workspace, record), follow)
        return
    shown, said = 0, 0
    while True:
        folder = attempt_folder(workspace, record)
        over = folder.result() is not None or not record.is_active
        ended = over or job_state(launcher, record) == "ended"  # killed: it left no result
        text = folder.log()
        yield text[shown:]
        shown = len(text)
        if not shown and not folder.epochs:
            lines = _lines(launcher, record, folder)
            _check_there_is_something(record, lines, ended=ended)
            if lines and not said:
                screen.say("nothing of its trainer yet; what its launcher says:")
            yield from (f"{MARK}{line}\n" for line in lines[said:])
            said = len(lines)
        if ended or not follow:
            return
        time.sleep(LAUNCHER_SECONDS if launcher.is_remote and not shown else FOLLOW_SECONDS)


def _lines(launcher: Launcher, record: RunRecord, folder: AttemptFolder) -> list[str]:
    """Return what the launcher has said of a run so far, kept or asked for."""
    kept = folder.store.get(f"{folder.attempt}/{LAUNCHER_LOG}")
    if kept is not None:
        return kept.decode(errors="replace").splitlines()
    job = record.latest.job
    if job is None or not is_here(launcher, record):
        return []
    try:
        return list(launcher.logs(job, follow=False))
    except RunnerError as error:
        return [error.message]


def _check_there_is_something(record: RunRecord, lines: list[str], *, ended: bool) -> None:
    if ended and not lines:
        raise OutsideError(
            f"the log of run {record.run_id} is not in this clone's run store",
            cure=f"runner logs   in the clone that ran it: {record.latest.endpoint}",
        )


def _all_of_the_launcher(
    launcher: Launcher, record: RunRecord, folder: AttemptFolder, follow: bool
) -> Iterator[str]:
    job = record.latest.job
    if follow and record.is_active and job and is_here(launcher, record):
        yield from (f"{MARK}{line}\n" for line in launcher.logs(job, follow=True))
        return
    lines = _lines(launcher, record, folder)
    _check_there_is_something(record, lines, ended=True)
    yield from (f"{MARK}{line}\n" for line in lines)
