"""Runs that nothing records: a trial of a spec, an evaluation of a checkpoint."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterable, Iterator

from runner import screen
from runner.errors import EXIT_OUTSIDE, OutsideError
from runner.launchers.base import Launcher
from runner.launchers.local import LocalLauncher
from runner.launching.follow import follow_job
from runner.launching.tasks import (
    Launch,
    check_train_python,
    dvc_inputs,
    dvc_remote_url,
    job_name,
    node_task,
)
from runner.ledger.record import RunRecord
from runner.node.channel import TRAINER_LOG
from runner.node.task import Evidence, Input, Limits
from runner.spec.resolve import ResolvedRun
from runner.spec.tree import WorkTree
from runner.storage.runfolder import LAUNCHER_LOG, AttemptFolder
from runner.storage.store import RunStore, open_store
from runner.trying.estimate import open_at_once
from runner.workspace import Workspace

LABEL = "try"
FOLDER = "trials"
"""Folder of the clone's state in which scratch runs keep their files, until the next one; of the
run store, while one runs elsewhere."""
LIMIT_SECONDS = 3600
"""Wall-clock limit of a scratch run."""


def run_here(
    workspace: Workspace,
    resolved: ResolvedRun,
    upstream: RunRecord | None,
    *,
    title: str,
    steps: int | None,
) -> AttemptFolder:
    """Run `resolved` from the work tree on this machine, to its end; return what it left.

    It stops after `steps`, or after an hour.
    """
    launcher = LocalLauncher(workspace.state)
    return run_scratch(workspace, launcher, resolved, upstream, title=title, steps=steps)


def run_scratch(
    workspace: Workspace,
    launcher: Launcher,
    resolved: ResolvedRun,
    upstream: RunRecord | None,
    *,
    title: str,
    steps: int | None,
) -> AttemptFolder:
    """Run `resolved` from the work tree, to its end; return what it left, on this machine.

    It stops after `steps`, or after an hour; whoever stops waiting stops it. Raises OutsideError
    when this machine has no training environment, or something of it may be left elsewhere.
    """
    if not launcher.is_remote:
        check_train_python(workspace, resolved.run.spec)
    shutil.rmtree(workspace.state / FOLDER, ignore_errors=True)
    nonce, tree = secrets.token_hex(16), WorkTree(workspace.root)
    name = job_name(resolved.run_id, LABEL, nonce)
    here = RunStore(str(workspace.state / FOLDER / name))
    shared = open_store(workspace.registry.run_store, workspace.root)
    store = shared.at(f"{FOLDER}/{name}") if launcher.is_remote else here
    spec = resolved.run.spec
    launch = Launch(
        LABEL, nonce, store.url(), _data_source(workspace, launcher, dvc_inputs(spec, tree)),
        Limits(seconds=LIMIT_SECONDS, steps=steps), upstream,
        node_variables=workspace.registry.node_variables, candidates=open_at_once(spec.resources),
    )  # fmt: skip
    task = node_task(workspace, resolved, tree, launch)
    try:
        with _released(launcher, name):
            job = launcher.submit(task)
            follow_job(launcher, job, AttemptFolder(store, LABEL), title, resolved.run)
            if store is not here:
                _fetch(store, here, launcher, job)
    finally:
        if store is not here:
            shared.delete(f"{FOLDER}/{name}")
    return AttemptFolder(here, LABEL)


@contextlib.contextmanager
def _released(launcher: Launcher, name: str) -> Iterator[None]:
    """Stop the job `name` however it is left, and see to it that nothing of it is there."""
    try:
        yield
    except BaseException:
        if launcher.is_remote:
            screen.say(f"Stopping {name}, and waiting until its machines are given back")
        launcher.cancel(name)
        raise
    job = launcher.find([name]).get(name, name)
    launcher.release(job)
    if left := launcher.left([job]):
        raise OutsideError(
            f"something of the trial is left: {', '.join(left.values())}",
            cure="runner doctor --leaks   lists it, with what removes it",
        )


def _fetch(store: RunStore, here: RunStore, launcher: Launcher, job: str) -> None:
    """Bring all but checkpoints to this machine; without the node's word, its launcher's lines."""
    if AttemptFolder(store, LABEL).result() is None:
        lines = "\n".join(launcher.logs(job, follow=False))
        here.put(f"{LABEL}/{LAUNCHER_LOG}", lines.encode())
    for name in store.list():
        if "/checkpoints/" not in name and (content := store.get(name)) is not None:
            here.put(name, content)


def say_why_there_is_nothing(part: AttemptFolder) -> int:
    """Print why a scratch run has left no evidence; return the exit code."""
    result = part.result()
    screen.print_error(result.error if result else "it ended without a word of its node", None)
    log = f"{LABEL}/{LAUNCHER_LOG}"
    if said := part.store.get(log):
        for line in said.decode(errors="replace").splitlines()[-15:]:
            screen.say(f"  {line}")
        screen.say(f"all that its launcher printed: {part.store.url(log)}")
    return EXIT_OUTSIDE


def say_the_log(part: AttemptFolder, evidence: Evidence) -> None:
    """Print the end of the trainer's output, and where all of it is."""
    for line in evidence.log_tail[-15:]:
        screen.say(f"  {line}")
    screen.say(f"all of it: {part.store.url(part.prefix)}/{TRAINER_LOG}")


def _data_source(workspace: Workspace, launcher: Launcher, inputs: Iterable[Input]) -> str:
    """Return this clone's DVC cache when it has everything (data may not be pushed yet).

    A cache is laid out like a remote; only this machine can read it.
    """
    cache = workspace.root / ".dvc" / "cache"
    wanted = [cache / "files" / "md5" / item.md5[:2] / item.md5[2:] for item in inputs]
    if not launcher.is_remote and all(path.exists() for path in wanted):
        return str(cache)
    return dvc_remote_url(workspace, workspace.registry.dvc_remotes.data)
