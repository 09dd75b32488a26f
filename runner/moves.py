"""Syncing, and carrying out what it decides: a run that waited too long for one place gets another.

    sync (ledger: attempt ended, next one claimed) -> former job cancelled, gone -> next submitted

The claim is on the ledger first, so whoever is interrupted in between leaves one that the next sync
or apply from here takes up. The next job is never submitted while something of the former is left.
"""

from __future__ import annotations

from runner.apply import Launched, submit_claimed
from runner.candidates import approved
from runner.forges.base import Forge
from runner.launchers.base import Launcher
from runner.ledger.branch import Changes, Draft, Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.record import RunRecord
from runner.sync import Synced, is_here, sync
from runner.workspace import Workspace


def sync_and_move(
    workspace: Workspace, launcher: Launcher, forge: Forge, *, fetch: bool = True
) -> Synced:
    """Sync, and submit the next attempts of runs that may use one candidate more.

    What cannot be submitted now is tried again by the next sync. Raises as `sync` does.
    """
    synced = sync(workspace, launcher, forge, fetch=fetch)
    if synced.moved or _is_left_over(workspace, launcher):
        submit_claimed(workspace, launcher)
    return synced


def _is_left_over(workspace: Workspace, launcher: Launcher) -> bool:
    """Whether a move of this endpoint was claimed, and whoever did it did not get to submit it."""
    snapshot = workspace.ledger.snapshot()
    records = snapshot.records(snapshot.active()).values()
    return any(_is_move(record) and is_here(launcher, record) for record in records)


def _is_move(record: RunRecord) -> bool:
    attempt = record.latest
    return attempt.state == "claimed" and attempt.candidates > 1


def open_next(workspace: Workspace, launcher: Launcher, name: str) -> tuple[Launched, ...]:
    """Let the waiting runs of an experiment use the next candidate as well, at once.

    Whoever calls it has made sure that an owner wants it. Returns what became of their next
    attempts; nothing where no run of `name` waits here for one. Raises as the ledger does.
    """
    opened: list[str] = []

    def step(snapshot: Snapshot) -> Changes:
        draft = Draft(snapshot)
        opened.clear()
        entry = snapshot.experiment(name)
        for record in snapshot.records(entry.runs if entry else ()).values():
            after = _approved(snapshot, launcher, record)
            if after is not None:
                draft.put_record(after)
                opened.append(record.run_id)
        return draft.changes(f"Next candidate for {', '.join(opened)}")

    workspace.ledger.transact(step)
    if not opened:
        return ()
    return tuple(one for one in submit_claimed(workspace, launcher) if one.run_id in opened)


def _approved(snapshot: Snapshot, launcher: Launcher, record: RunRecord) -> RunRecord | None:
    if not record.is_active or not is_here(launcher, record):
        return None
    return approved(experiment_of(snapshot, record.run_id), record)
