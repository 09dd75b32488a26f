"""Following runs: what the launcher and the run store say becomes states, verdicts and pages.

    ledger + launcher.poll + run store -> observation -> transition (ledger) -> pages, status

Any number of people and jobs may call it, from anywhere, at any time.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from runner.errors import RunnerError
from runner.following.limits import stop_overdue
from runner.following.observation import (
    UNKNOWN,
    adopt_claims,
    adopt_twins,
    ask,
    ended,
    observe,
    with_stays,
)
from runner.forges.base import Forge
from runner.launchers.base import JobState, JobStatus, Launcher
from runner.launching.candidates import moved, next_of
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of, spec_path
from runner.ledger.draft import Changes, Draft, told_of
from runner.ledger.record import Attempt, RunRecord
from runner.parallel import in_background, in_parallel
from runner.policy.secrecy import redactor
from runner.report.publish import experiments_of, outbox_files, published_files
from runner.storage.runfolder import LAUNCHER_LOG, attempt_folder
from runner.storage.store import open_store
from runner.telling.announce import announce, has_listener
from runner.workspace import Workspace

KEPT_LINES = 5000
"""Of what a launcher printed of a job, the last ones, that are kept in the run store."""
PORTION = 100
"""Runs written in one commit: drawing their plots takes a while, in which nobody else may write."""
REQUESTS = 16
"""Runs that the run store is asked about at once."""
LOG_SECONDS = 60.0
"""For a launcher to give them: a server that hangs must not keep the other runs from being told."""
_NO_MOVES: Mapping[str, RunRecord] = MappingProxyType({})


class Synced(NamedTuple):
    """What a sync found."""

    changed: tuple[RunRecord, ...]
    """Records whose newest attempt has another state now."""
    active: tuple[str, ...]
    """Ids of runs that go on."""
    moved: tuple[str, ...] = ()
    """Ids of runs that may use one candidate more now: see runner.launching.moves."""
    untold: tuple[str, ...] = ()
    """Why the forge or the webhook could not be told; the next sync tries again."""


def sync(workspace: Workspace, launcher: Launcher, forge: Forge, *, fetch: bool = True) -> Synced:
    """Bring the ledger up to date with what the active runs do.

    Without `fetch` the ledger's remote is asked only when there is something to write.
    Raises OutsideError when ledger or store do not answer.
    """
    snapshot = workspace.ledger.fetch() if fetch else workspace.ledger.snapshot()
    records = adopt_claims(launcher, snapshot.records(snapshot.active()))
    records, statuses = adopt_twins(launcher, records, ask(launcher, records.values()))
    observed = _observe_all(workspace, snapshot, records, statuses)
    observed |= stop_overdue(workspace, launcher, snapshot, records, observed, statuses)
    _keep_logs(workspace, launcher, snapshot, observed, statuses)
    moves = _move(workspace, snapshot, observed, statuses)
    synced = record(workspace, forge, snapshot, observed, moves)
    launcher.keep_prices()
    return synced


def _observe_all(
    workspace: Workspace,
    snapshot: Snapshot,
    records: Mapping[str, RunRecord],
    statuses: Mapping[str, JobStatus],
) -> dict[str, Attempt]:
    """Return the newest attempts as they are now; many requests of a bucket are under way at once.

    Raises OutsideError when the run store does not answer.
    """
    snapshot.read_shards(spec_path(run_id) for run_id in records)  # read by one process

    def look(run: RunRecord) -> Attempt:
        return observe(workspace, snapshot, run, statuses[run.run_id])

    seen = in_parallel(look, records.values(), REQUESTS)
    return {run_id: future.result() for run_id, future in zip(records, seen, strict=True)}


def record(
    workspace: Workspace,
    forge: Forge,
    snapshot: Snapshot,
    observed: Mapping[str, Attempt],
    moves: Mapping[str, RunRecord] = _NO_MOVES,
    *,
    pages: bool = True,
) -> Synced:
    """Write the attempts that have changed into the ledger, with their pages, and tell of them.

    Of the runs in `moves` the next attempt is claimed in the same commit.
    Without `pages` nothing is asked of the run store.
    """
    known = snapshot.records(observed)
    changed = {
        run_id: moves.get(run_id, known[run_id].with_latest(attempt))
        for run_id, attempt in observed.items()
        if run_id in moves or _is_news(known[run_id].latest, attempt)
    }
    written: list[RunRecord] = []
    for some in _portions(changed):
        snapshot, done = _write(workspace, known, some, pages=pages)
        written += done
    active = tuple(snapshot.active())
    claimed = tuple(record.run_id for record in written if record.run_id in moves)
    if not has_listener(workspace):
        return Synced(tuple(written), active, claimed)
    names = experiments_of(snapshot, snapshot.records(observed))
    return Synced(tuple(written), active, claimed, announce(workspace, forge, snapshot, names))


def _portions(changed: Mapping[str, RunRecord]) -> Iterator[dict[str, RunRecord]]:
    """Yield what is written in one commit each: what comes after it cannot be lost with it."""
    records = iter(changed.items())
    while some := dict(itertools.islice(records, PORTION)):
        yield some


def _write(
    workspace: Workspace,
    known: Mapping[str, RunRecord],
    changed: Mapping[str, RunRecord],
    *,
    pages: bool,
) -> tuple[Snapshot, list[RunRecord]]:
    """Write what became of runs that were as in `known`; return the ledger, and what was written.

    Somebody else may have been faster: then his word stays, as ours was decided from the former.
    """
    written: list[RunRecord] = []

    def step(newest: Snapshot) -> Changes:
        draft, current = Draft(newest), newest.records(changed)
        written[:] = [run for i, run in changed.items() if current.get(i) == known[i]]
        for run in written:
            draft.put_record(run)
        publish = published_files if pages else outbox_files
        for path, content in publish(workspace, newest, written).items():
            draft.put(path, content)
        told = told_of(f"{r.run_id} {r.latest.outcome or r.latest.state}" for r in written)
        return draft.changes(f"Run {told}")

    return workspace.ledger.transact(step), written


def _is_news(before: Attempt, after: Attempt) -> bool:
    """Only transitions are committed, not every step, nor each word on why a job waits."""

    def told(attempt: Attempt) -> tuple[object, ...]:
        why = attempt.reason.partition(": ")[0] if attempt.state == "waiting" else attempt.reason
        where = attempt.where if attempt.state == "running" else ""  # else the last one tried
        waits, been = attempt.waiting_since, len(attempt.stays)
        return attempt.state, why, where, waits, been, attempt.job

    return told(before) != told(after)


def _move(
    workspace: Workspace,
    snapshot: Snapshot,
    observed: Mapping[str, Attempt],
    statuses: Mapping[str, JobStatus],
) -> dict[str, RunRecord]:
    """Return the records of runs that have waited long enough, with their next attempts."""
    known = snapshot.records(observed)
    resting = {run_id: seen for run_id, seen in observed.items() if seen.state != "running"}
    specs = {run_id: experiment_of(snapshot, run_id) for run_id in resting}
    at = datetime.now(UTC)
    following = [next_of(spec, resting[run_id]) for run_id, spec in specs.items()]
    if any(one and one.at and one.at <= at for one in following):
        # Our clock may be hours ahead: no run loses its place by that.
        at = open_store(workspace.registry.run_store, workspace.root).now()
    moves = {
        run_id: moved(specs[run_id], known[run_id], statuses.get(run_id, UNKNOWN), seen, at)
        for run_id, seen in resting.items()
    }
    return {run_id: record for run_id, record in moves.items() if record is not None}


def _keep_logs(
    workspace: Workspace,
    launcher: Launcher,
    snapshot: Snapshot,
    observed: Mapping[str, Attempt],
    statuses: Mapping[str, JobStatus],
) -> None:
    """Keep what the launcher printed of jobs that ended without a word of their node.

    A launcher that does not give it is no reason to leave the end untold.
    """
    clear = redactor(workspace.registry).text
    for run_id, attempt in observed.items():
        if statuses[run_id].state != "ended" or attempt.state != "ended" or not attempt.job:
            continue
        folder = attempt_folder(workspace, snapshot.records([run_id])[run_id])
        if folder.result() is not None or launcher.reach(attempt.endpoint) != "here":
            continue
        with contextlib.suppress(RunnerError, TimeoutError):
            lines = in_background(functools.partial(_last_lines, launcher, attempt.job))
            text = clear("".join(f"{line}\n" for line in lines.result(LOG_SECONDS)))
            folder.store.put(f"{folder.attempt}/{LAUNCHER_LOG}", text.encode())


def _last_lines(launcher: Launcher, job: str) -> deque[str]:
    return deque(launcher.logs(job, follow=False), maxlen=KEPT_LINES)


def job_state(launcher: Launcher, run: RunRecord) -> JobState:
    """Return the state of a run's job as far as it may be told from here."""
    return ask(launcher, adopt_claims(launcher, {run.run_id: run}).values())[run.run_id].state


def is_here(launcher: Launcher, run: RunRecord) -> bool:
    """Whether the newest attempt of `run` is a job of this launcher, within reach."""
    attempt = run.latest
    return launcher.name == attempt.launcher and launcher.reach(attempt.endpoint) == "here"


def end_as_cancelled(
    workspace: Workspace, launcher: Launcher, forge: Forge, run: RunRecord
) -> RunRecord:
    """Write into the ledger that a run, whose job was stopped, is cancelled."""
    snapshot = workspace.ledger.fetch()
    current = adopt_claims(launcher, snapshot.records([run.run_id]))[run.run_id]
    attempt = observe(workspace, snapshot, current, ask(launcher, [current])[run.run_id])
    if attempt.state != "ended" or attempt.outcome == "lost":
        folder = attempt_folder(workspace, current)
        beat = folder.heartbeat()
        attempt = ended(current.latest, beat, "cancelled", "cancelled by hand", "")
        attempt = with_stays(attempt, folder)
    record(workspace, forge, snapshot, {run.run_id: attempt})
    return workspace.ledger.snapshot().records([run.run_id])[run.run_id]
