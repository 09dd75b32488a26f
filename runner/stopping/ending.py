"""A job of CI takes its local runs with it when it ends: none of them is left as going on."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence

from runner import screen
from runner.errors import RunnerError
from runner.forges.base import Forge
from runner.launchers.base import Launcher
from runner.launching.places import is_ci
from runner.policy.secrecy import redactor
from runner.stopping.cancel import give_up
from runner.workspace import Workspace


@contextlib.contextmanager
def taking_runs_along(
    workspace: Workspace, launcher: Launcher, forge: Forge, run_ids: Sequence[str]
) -> Iterator[None]:
    """In CI, write local runs off as lost when what follows them ends before they do.

    Another job has another machine, from which they could never be told from runs that go on.
    """
    if not is_ci() or launcher.is_remote:
        yield
        return
    former = signal.signal(signal.SIGTERM, signal.default_int_handler)  # GitHub sends both
    try:
        yield
    except (RunnerError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, RunnerError) else "it was cancelled"
        for run_id in run_ids:
            _write_off(
                workspace, launcher, forge, run_id, f"the CI job it was part of ended: {why}"
            )
        raise
    finally:
        signal.signal(signal.SIGTERM, former)


def _write_off(
    workspace: Workspace, launcher: Launcher, forge: Forge, run_id: str, why: str
) -> None:
    """Write it down first: there are seconds left, and stopping a run may take longer."""
    try:
        record = workspace.ledger.fetch().find(run_id)
        if not record.is_active:
            return
        give_up(workspace, forge, run_id, redactor(workspace.registry).text(why))
        if record.latest.job:
            launcher.cancel(record.latest.job)
    except RunnerError as error:
        screen.print_error(f"run {run_id}: {error.message}", f"runner cancel {run_id} --lost")
