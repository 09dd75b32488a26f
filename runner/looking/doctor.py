"""What works from here, and the cure for what does not; and what nobody waits for.

Each check asks for real: the ledger is fetched, a file is created in the run store and deleted
again, the API server is asked.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from runner import screen
from runner.errors import EXIT_OUTSIDE, EXIT_SOMETHING_TO_DO, OutsideError, Refused, RunnerError
from runner.forges import open_forge
from runner.launchers.base import Found, Launcher
from runner.launching.places import check_places
from runner.launching.tasks import check_train_python, dvc_remote_url, job_name
from runner.ledger.documents import experiment_of
from runner.ledger.record import Attempt, RunRecord
from runner.ledger.snapshot import Snapshot
from runner.policy.secrecy import TOKENS
from runner.repeating.repeats import claims
from runner.spec.check import load_experiments
from runner.spec.tree import WorkTree
from runner.storage.store import RunStore, open_store
from runner.workspace import Workspace

GIVING_BACK = timedelta(minutes=10)
"""For machines to be given back after a run's end; SkyPilot takes up to two minutes."""

State = Literal["ok", "broken", "notice"]


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    state: State
    """`notice`: only some commands need it, or another machine may have it."""
    message: str
    cure: str = ""


class Diagnosis(NamedTuple):
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """Return 3 when something that is needed does not work."""
        return EXIT_OUTSIDE if any(check.state == "broken" for check in self.checks) else 0

    def document(self) -> dict[str, Any]:
        """Return the JSON of `doctor --json`."""
        return {"checks": [check._asdict() for check in self.checks]}

    def show(self) -> None:
        """Print a line for each, with the cure below what does not work."""
        width = max(len(check.name) for check in self.checks)
        for one in self.checks:
            text = f"{screen.mark(one.state)}  {one.name:<{width}}  {one.message}"
            screen.print_result(text, f"{'':<{width + 6}}  {one.cure}" if one.cure else "")


class Leaks(NamedTuple):
    """What goes on or is kept that no record explains."""

    found: Found
    launcher: str

    @property
    def exit_code(self) -> int:
        """Return 6 when there is something to remove."""
        return EXIT_SOMETHING_TO_DO if self.found.leaks else 0

    def document(self) -> dict[str, Any]:
        """Return the JSON of `doctor --leaks --json`."""
        leaks = [leak._asdict() for leak in self.found.leaks]
        return {"leaks": leaks, "strangers": self.found.strangers}

    def show(self) -> None:
        """Print each with the command that removes it."""
        for leak in self.found.leaks:
            screen.print_result(f"{leak.what}: {leak.name}", leak.remove)
        if self.found.leaks:
            screen.say(
                f"{self.launcher}: this ledger explains none of these; another registry at the "
                "same server would name its jobs alike"
            )
        else:
            screen.say(f"{self.launcher}: nothing of ours that the ledger does not explain")
        if self.found.strangers:
            screen.say(f"besides, {screen.count(self.found.strangers, 'job or cluster')} of others")


def diagnose(workspace: Workspace, launcher: Launcher) -> Diagnosis:
    """Look at everything that the registry needs from here."""
    checks: tuple[tuple[str, State, Callable[[], str]], ...] = (
        ("git", "broken", lambda: _git(workspace)),
        ("ledger", "broken", lambda: _ledger(workspace)),
        ("run store", "broken", lambda: _store(workspace)),
        ("DVC data", "broken", lambda: _remote(workspace, workspace.registry.dvc_remotes.data)),
        (
            "DVC checkpoints",
            "broken",
            lambda: _remote(workspace, workspace.registry.dvc_remotes.checkpoints),
        ),
        (f"launcher {launcher.name}", "broken", lambda: _launcher(workspace, launcher)),
        ("secrets", "notice", lambda: _secrets(workspace)),
        ("forge", "notice", lambda: _forge(workspace)),
    )
    return Diagnosis(tuple(_checked(*check) for check in checks))


def _checked(name: str, otherwise: State, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except RunnerError as error:
        return Check(name, otherwise, error.message, error.cure or "")


def _git(workspace: Workspace) -> str:
    return f"{workspace.repository.version()}, work tree {workspace.root}"


def _ledger(workspace: Workspace) -> str:
    snapshot = workspace.ledger.fetch()
    settings = workspace.registry.ledger
    is_shared = workspace.repository.remote(settings.remote) is not None
    where = f"at {settings.remote}" if is_shared else "in this clone alone"
    going = screen.count(len(snapshot.records(snapshot.active())), "active run")
    return f"branch {settings.branch} {where}, {going}"


def _store(workspace: Workspace) -> str:
    """Create a file twice, as leases are: the second time must fail."""
    store = open_store(workspace.registry.run_store, workspace.root)
    name = f"doctor-{uuid.uuid4().hex}"
    try:
        if not store.create(name, b"1") or store.create(name, b"2"):
            raise Refused(
                f"{store.url()} overwrites what it was told to create",
                cure="two trainings of one run could not be told apart there: use another store",
            )
    finally:
        store.delete(name)
    return f"{store.url()}: writes, and creates exclusively"


def _remote(workspace: Workspace, name: str) -> str:
    url = dvc_remote_url(workspace, name)
    kept = RunStore(url).exists("files")
    return f"{name} at {url}{'' if kept else ', empty so far'}"


def _launcher(workspace: Workspace, launcher: Launcher) -> str:
    told = launcher.about()
    check_places(workspace, launcher)
    if not launcher.is_remote:
        for loaded in load_experiments(WorkTree(workspace.root)).experiments:
            check_train_python(workspace, loaded.experiment)
    return told


def _secrets(workspace: Workspace) -> str:
    loaded = load_experiments(WorkTree(workspace.root)).experiments
    by_specs = {name for one in loaded for name in one.experiment.secrets}
    webhook = {workspace.registry.webhook} if workspace.registry.webhook else set()
    named = sorted({*by_specs, *workspace.registry.node_variables, *webhook})
    unset = [name for name in named if not os.environ.get(name)]
    if unset:
        raise OutsideError(
            f"not set here: {', '.join(unset)}",
            cure="what launches from here needs them; in CI they are secrets of the environment",
        )
    return f"{screen.count(len(named), 'name')}, all set" if named else "none are named"


def _forge(workspace: Workspace) -> str:
    if workspace.registry.forge == "none":
        return "none: nobody is told of runs"
    if not any(os.environ.get(name) for name in TOKENS[:2]):
        raise OutsideError(
            f"{workspace.registry.forge}: neither {TOKENS[0]} nor {TOKENS[1]} is set",
            cure="sync tells the forge of runs: a token that may write statuses and comments",
        )
    return f"{workspace.registry.forge}, as {open_forge(workspace).login() or 'a token'}"


def look_for_leaks(workspace: Workspace, launcher: Launcher) -> Leaks:
    """Compare what is at the launcher with what the ledger explains.

    Raises OutsideError when one of them does not answer.
    """
    snapshot = workspace.ledger.fetch()
    return Leaks(launcher.leaks(frozenset(_explained(snapshot))), launcher.name)


def _explained(snapshot: Snapshot) -> Iterator[str]:
    """Yield the names of what goes on or has just ended, and of what its spec keeps then."""
    entries = snapshot.experiments().values()
    known = {run for entry in entries for run in (*entry.history, *entry.runs)}
    for record in snapshot.records({*known, *snapshot.active()}).values():
        yield from _attempts(snapshot, record)
        yield from (one.name for one in claims(snapshot, record.run_id) if one.verdict is None)


def _attempts(snapshot: Snapshot, record: RunRecord) -> Iterator[str]:
    keeps = experiment_of(snapshot, record.run_id).resources.keep_cluster is not None
    for one in record.attempts:
        if keeps or one.state != "ended" or _has_just_ended(one):
            yield job_name(record.run_id, f"a{one.number}", one.nonce)


def _has_just_ended(attempt: Attempt) -> bool:
    """Whether the launcher may still be giving an attempt's machines back."""
    if attempt.ended_at is None:
        return False
    return datetime.now(UTC) - datetime.fromisoformat(attempt.ended_at) < GIVING_BACK
