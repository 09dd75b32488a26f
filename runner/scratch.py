"""Runs that nothing records: a trial of a spec, an evaluation of a checkpoint."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable

from runner import screen
from runner.errors import EXIT_OUTSIDE
from runner.follow import follow_job
from runner.launchers.local import LocalLauncher
from runner.ledger.record import RunRecord
from runner.node.channel import TRAINER_LOG
from runner.node.task import Evidence, Input, Limits
from runner.runfolder import AttemptFolder
from runner.spec.resolve import ResolvedRun
from runner.spec.tree import WorkTree
from runner.store import RunStore
from runner.tasks import Launch, dvc_inputs, dvc_remote_url, job_name, node_task
from runner.workspace import Workspace

LABEL = "try"
FOLDER = "trials"
"""Folder of the clone's state in which scratch runs keep their files, until the next one."""
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
    shutil.rmtree(workspace.state / FOLDER, ignore_errors=True)
    nonce = secrets.token_hex(16)
    tree = WorkTree(workspace.root)
    launch = Launch(
        LABEL,
        nonce,
        store=str(workspace.state / FOLDER / job_name(resolved.run_id, LABEL, nonce)),
        data_remote=_data_source(workspace, dvc_inputs(resolved.run.spec, tree)),
        limits=Limits(seconds=LIMIT_SECONDS, steps=steps),
        upstream=upstream,
        node_variables=workspace.registry.node_variables,
    )
    task = node_task(workspace, resolved, tree, launch)
    launcher = LocalLauncher(workspace.state)
    job = launcher.submit(task)
    part = AttemptFolder(RunStore(task.store), LABEL)
    try:
        follow_job(launcher, job, part, title, resolved.run)
    except KeyboardInterrupt:
        launcher.cancel(job)
        raise
    return part.newest()


def say_why_there_is_nothing(part: AttemptFolder) -> int:
    """Print why a scratch run has left no evidence; return the exit code."""
    result = part.result()
    screen.print_error(result.error if result else "its process was killed", None)
    return EXIT_OUTSIDE


def say_the_log(part: AttemptFolder, evidence: Evidence) -> None:
    """Print the end of the trainer's output, and where all of it is."""
    for line in evidence.log_tail[-15:]:
        screen.say(f"  {line}")
    screen.say(f"all of it: {part.store.url(part.prefix)}/{TRAINER_LOG}")


def _data_source(workspace: Workspace, inputs: Iterable[Input]) -> str:
    """Return this clone's DVC cache when it has everything (data may not be pushed yet).

    A cache is laid out like a remote.
    """
    cache = workspace.root / ".dvc" / "cache"
    wanted = [cache / "files" / "md5" / item.md5[:2] / item.md5[2:] for item in inputs]
    if all(path.exists() for path in wanted):
        return str(cache)
    return dvc_remote_url(workspace, workspace.registry.dvc_remotes.data)
