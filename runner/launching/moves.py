"""Syncing, and carrying out what it decides: a run that waited too long for one place gets another.

    sync (ledger: attempt ended, next one claimed) -> former job cancelled, gone -> next submitted

The claim is on the ledger first, so whoever is interrupted in between leaves one that the next sync
or apply from here takes up. The next job is never submitted while something of the former is left.
"""

from __future__ import annotations

from runner.errors import Refused
from runner.forges.base import Forge
from runner.launchers.base import Launcher
from runner.launching.candidates import next_of, opened_now, place
from runner.launching.submission import Launched, submit_claimed
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.draft import Changes, Draft
from runner.ledger.record import RunRecord
from runner.planning.actions import Forced
from runner.policy.ceilings import who_lifts
from runner.policy.trust import in_force
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


def open_asked(workspace: Workspace, launcher: Launcher, forced: Forced) -> tuple[Launched, ...]:
    """Let waiting runs of the experiments that are to be launched use their next candidate too."""
    return tuple(
        launched
        for name in sorted(forced.launch)
        for launched in open_next(workspace, launcher, name, by_owner=forced.by_owner)
    )


def open_next(
    workspace: Workspace, launcher: Launcher, name: str, *, by_owner: bool
) -> tuple[Launched, ...]:
    """Let the waiting runs of an experiment use the next candidate as well, at once.

    Returns what became of their next attempts; nothing where no run of `name` waits here for one.
    Raises Refused where an owner has to open it and `by_owner` is not so.
    """
    opened: list[str] = []

    def step(snapshot: Snapshot) -> Changes:
        draft = Draft(snapshot)
        opened.clear()
        entry = snapshot.experiment(name)
        for record in snapshot.records(entry.runs if entry else ()).values():
            after = _opened(workspace, snapshot, launcher, record, by_owner=by_owner)
            if after is not None:
                draft.put_record(after)
                opened.append(record.run_id)
        return draft.changes(f"Next candidate for {', '.join(opened)}")

    workspace.ledger.transact(step)
    if not opened:
        return ()
    return tuple(one for one in submit_claimed(workspace, launcher) if one.run_id in opened)


def _opened(
    workspace: Workspace,
    snapshot: Snapshot,
    launcher: Launcher,
    record: RunRecord,
    *,
    by_owner: bool,
) -> RunRecord | None:
    spec = experiment_of(snapshot, record.run_id)
    following = next_of(spec, record.latest)
    if following is None or not is_here(launcher, record):
        return None
    if following.candidate.needs_approval and not by_owner:
        registry = in_force(workspace.repository, workspace.registry, snapshot)
        raise Refused(
            f"`resources.candidates`: {place(following.candidate)} needs approval, and run "
            f"{record.run_id} waits for a place before it",
            cure=f"{who_lifts(registry)}: runner launch {record.experiment}",
        )
    return opened_now(spec, record)
