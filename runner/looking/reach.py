"""Where a run can be looked at, and a shell on its node."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator, Sequence
from subprocess import CompletedProcess
from typing import IO, NamedTuple

from runner import screen
from runner.errors import OutsideError, Refused, RunnerError
from runner.forges import open_forge
from runner.launchers import LAUNCHERS
from runner.launchers.base import RAY_DASHBOARD, Launcher, Shell
from runner.ledger.record import RunRecord, folder
from runner.planning.asked import newest_snapshot
from runner.storage.runfolder import attempt_folder
from runner.sync import is_here
from runner.workspace import Workspace

RAY = "ray"
_RAY_ADDRESS = f"http://127.0.0.1:{RAY_DASHBOARD}"
_RAY_ASKS = (
    "it asks for the run's token; in `runner ssh RUN`: "
    "tr '\\0' '\\n' </proc/$(pgrep -n raylet)/environ | sed -n s/^RAY_AUTH_TOKEN=//p"
)
_FORWARD_SECONDS = 3.0
"""How long a forwarding command lives at least if it works."""


class Page(NamedTuple):
    """Something about a run that a browser can show."""

    name: str
    """`report`, `wandb`, `skypilot`, `ray`."""
    address: str
    """Its URL; for `ray` the command that forwards it to this machine."""


def pages(workspace: Workspace, record: RunRecord) -> Iterator[Page]:
    """Yield what there is to look at of a run's newest attempt.

    Raises OutsideError when the run store cannot be read.
    """
    where = f"{folder(record.run_id)}/README.md"
    if record.is_active:
        where = f"experiments/{record.experiment}/README.md"
    branch = workspace.registry.ledger.branch
    part, launcher = attempt_folder(workspace, record), _launcher(workspace, record)
    told = (one.wandb for one in reversed(part.whereabouts()) if one.wandb)
    job = record.latest.job
    yield Page("report", open_forge(workspace).link(branch, where))
    yield Page("wandb", next(told, record.latest.wandb))
    for name, address in (launcher.links(job) if job else {}).items():
        yield Page(name, address)
    with contextlib.suppress(RunnerError):  # there is none yet, or none any more
        yield Page(RAY, " ".join(_shell(launcher, record).forward))


def open_pages(workspace: Workspace, name: str, which: str | None, *, only_print: bool) -> None:
    """Show a run's pages in the browser, or print their addresses where there is none.

    Raises Refused when there is none that could be shown.
    """
    record = newest_snapshot(workspace).find(name)
    found = [page for page in pages(workspace, record) if page.address]
    chosen = [page for page in found if which in (None, page.name)]
    if not chosen:
        has = f"; it has: {', '.join(page.name for page in found)}" if found else ""
        raise Refused(
            f"run {record.run_id} has no {'page' if which is None else which}{has}",
            cure=f"runner show {record.run_id}   shows its report here",
        )
    browser = None if only_print else _browser()
    if browser and which == RAY:
        _show_ray(browser, _shell(_launcher(workspace, record), record))
        return
    width = max(len(page.name) for page in chosen)
    for page in chosen:
        screen.print_result(f"{page.name:<{width}}  {page.address}")
        if browser and page.name != RAY:
            browser.open(page.address)
    if any(page.name == RAY for page in chosen):
        screen.say(f"Ray's dashboard: call the command, then open {_RAY_ADDRESS}")
        screen.say(_RAY_ASKS)


def open_shell(workspace: Workspace, name: str) -> int:
    """Open a shell on a run's first node, and return the status that it ends with.

    Raises Refused when the run has ended or runs here, OutsideError when it cannot be reached.
    """
    record = newest_snapshot(workspace).find(name)
    way = _shell(_launcher(workspace, record), record)
    _check_program(way.command[0])
    if way.before:
        screen.say(f"$ {' '.join(way.before)}")
        if _call(way.before, stdout=sys.stderr).returncode:
            raise OutsideError(f"{way.before[-2]} failed", cure=way.otherwise or None)
    screen.say(f"$ {' '.join(way.command)}")
    status = _call(way.command).returncode
    if status == _SSH_FAILED and way.otherwise:
        screen.say(way.otherwise)
    return status


_SSH_FAILED = 255


def _shell(launcher: Launcher, record: RunRecord) -> Shell:
    attempt = record.latest
    run = f"run {record.run_id}"
    if attempt.state == "ended":
        raise Refused(
            f"{run} has ended, and its machines are gone",
            cure=f"runner logs {record.run_id}   shows what it printed, "
            f"runner show {record.run_id} its report",
        )
    if not attempt.job:
        raise Refused(
            f"{run} has not been submitted yet", cure="runner apply   submits what is claimed"
        )
    if not is_here(launcher, record):
        raise OutsideError(
            f"{run} was launched elsewhere: {attempt.endpoint}",
            cure="where that is SkyPilot's address: SKYPILOT_API_SERVER_ENDPOINT names it",
        )
    return launcher.shell(attempt.job)


def _launcher(workspace: Workspace, record: RunRecord) -> Launcher:
    return LAUNCHERS[record.latest.launcher](workspace)


def _call(command: Sequence[str], stdout: IO[str] | None = None) -> CompletedProcess[bytes]:
    return subprocess.run(command, check=False, stdout=stdout)


def _check_program(name: str) -> None:
    if shutil.which(name) is None:
        raise OutsideError(f"there is no {name} on this machine", cure=f"install {name}")


def _browser() -> webbrowser.BaseBrowser | None:
    """Return the browser of who sits here; None in CI, in pipes and over ssh."""
    seen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not (seen and sys.stdout.isatty()):
        return None
    with contextlib.suppress(webbrowser.Error):
        return webbrowser.get()
    return None


def _show_ray(browser: webbrowser.BaseBrowser, way: Shell) -> None:
    """Forward Ray's dashboard for as long as nobody interrupts."""
    _check_program(way.forward[0])
    if way.before:
        _call(way.before, stdout=sys.stderr)
    with subprocess.Popen(way.forward, stdin=subprocess.DEVNULL) as forwarding:
        try:
            time.sleep(_FORWARD_SECONDS)
            if forwarding.poll() is not None:
                raise OutsideError(
                    f"{' '.join(way.forward)} ended at once", cure=way.otherwise or None
                )
            browser.open(_RAY_ADDRESS)
            screen.say(f"Ray's dashboard is at {_RAY_ADDRESS} until you press Ctrl-C")
            screen.say(_RAY_ASKS)
            forwarding.wait()
        except KeyboardInterrupt:
            forwarding.terminate()
