"""What a change of some runs makes of the ledger's pages, and of what has still to be told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from runner.ledger.entry import ExperimentEntry
from runner.ledger.outbox import OUTBOX, Event, Outbox, ending, outbox_file, read_outbox
from runner.ledger.record import RunRecord, folder, now
from runner.ledger.sharing import shared_by
from runner.ledger.snapshot import Snapshot
from runner.node.data import pointer_of
from runner.report.boards import leaderboard_files
from runner.report.headline import candidates
from runner.report.leaderboard import Listed, Standing, folder_of, listed
from runner.report.pages import experiment_files, run_files
from runner.report.reports import candidates_of, in_portions, judged, report_of, reports_of
from runner.report.sections import RunReport, moment
from runner.report.statuses import Moment, context_of, tell
from runner.workspace import Workspace


def published_files(
    workspace: Workspace, snapshot: Snapshot, written: Iterable[RunRecord]
) -> dict[str, bytes]:
    """Return the pages, plots, pointers and statuses that change with the `written` records."""
    changed = {record.run_id: record for record in written}
    if not changed:
        return {}
    texts: dict[str, str] = {}
    for record in changed.values():
        if not record.is_active:
            texts |= run_files(report_of(workspace, snapshot, record))
            texts |= _checkpoint_pointer(record)
    encoded = {path: text.encode() for path, text in texts.items()}
    names = experiments_of(snapshot, changed)
    pages = _pages(workspace, snapshot, names, changed)
    return {**encoded, **pages, **outbox_files(workspace, snapshot, changed.values())}


def experiment_pages(workspace: Workspace, snapshot: Snapshot) -> dict[str, bytes]:
    """Return the pages of experiments that stand for other runs, or expect something else, now."""
    before = read_outbox(snapshot)
    changed = [Event(experiment=name, what="changed") for name in before.pages]
    after = _with_events(workspace, before, forge=changed).model_copy(update={"pages": ()})
    return {**_pages(workspace, snapshot, before.pages), OUTBOX: outbox_file(after)}


def outbox_files(
    workspace: Workspace, snapshot: Snapshot, written: Iterable[RunRecord]
) -> dict[str, bytes]:
    """Return the outbox with what has ended: to be told in the name of each that stands for it.

    Nothing is asked of the run store.
    """
    changed = {record.run_id: record for record in written}
    ended = {run_id: record for run_id, record in changed.items() if not record.is_active}
    named = [
        ending(record, name)
        for name in experiments_of(snapshot, ended)
        for record in ended.values()
        if name == record.experiment or record.run_id in _runs_of(snapshot, name)
    ]
    own = [ending(record, record.experiment) for record in ended.values()]
    before = read_outbox(snapshot)
    after = _with_events(workspace, before, forge=named, webhook=own)
    return {} if after == before else {OUTBOX: outbox_file(after)}


def _runs_of(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    entry = snapshot.experiment(name)
    return entry.runs if entry else ()


def _with_events(
    workspace: Workspace, before: Outbox, forge: Iterable[Event] = (), webhook: Iterable[Event] = ()
) -> Outbox:
    """Return the outbox with more to tell, as far as there is anybody to tell it to."""
    registry = workspace.registry
    return before.with_events(
        forge=forge if registry.forge != "none" else (),
        webhook=webhook if registry.webhook else (),
    )


def _pages(
    workspace: Workspace,
    snapshot: Snapshot,
    names: Iterable[str],
    changed: Mapping[str, RunRecord] = MappingProxyType({}),
) -> dict[str, bytes]:
    """Return the pages and statuses of experiments, and the leaderboard.

    `changed` are records newer than the snapshot's, by run id.
    """
    texts: dict[str, str] = {}
    rows: list[Listed] = []
    for name in names:
        entry = snapshot.experiment(name)
        reports = reports_of(workspace, snapshot, entry, changed) if entry else []
        if entry and reports:
            former = [run_id for run_id in entry.history if run_id not in entry.runs]
            texts |= experiment_files(name, reports, _records(snapshot, former, changed))
            texts[f"experiments/{name}/status.json"] = _status_file(workspace, name, reports)
            records = tuple(report.record for report in reports)
            rows.append(listed(Standing(name, candidates(reports[0].spec), records)))
    texts |= leaderboard_files(snapshot, rows, partial(_survey, workspace, snapshot))
    return {path: text.encode() for path, text in texts.items()}


def _status_file(workspace: Workspace, name: str, reports: Sequence[RunReport]) -> str:
    """Return the status beside the commit as of this transition: all its runs together."""
    records = [report.record for report in reports]
    told = tell(reports[0].spec, records, Moment(moment(at := now())))
    content = {
        "commit": records[-1].latest.commit,
        "context": context_of(workspace.registry.status_prefix, name),
        **told._asdict(),
        "at": at,
    }
    return json.dumps(content, indent=1) + "\n"


def experiments_of(snapshot: Snapshot, changed: Mapping[str, RunRecord]) -> list[str]:
    """Return the experiments that stand for a changed run: two files of one identity share one."""
    sharing = [
        name
        for name in shared_by(snapshot, changed)
        if not changed.keys().isdisjoint(_runs_of(snapshot, name))
    ]
    return list(dict.fromkeys((*(record.experiment for record in changed.values()), *sharing)))


def _survey(
    workspace: Workspace, snapshot: Snapshot, folders: frozenset[str] | None
) -> Iterator[Listed]:
    """Yield the experiments of some folders, of all for None, as their records say."""
    entries = [
        entry
        for name, entry in snapshot.experiments().items()
        if folders is None or folder_of(name) in folders
    ]
    for part in in_portions(snapshot, entries):
        for entry in part.entries:
            if records := part.of(entry.runs):
                yield listed(_standing(workspace, part.snapshot, entry, records))


def _standing(
    workspace: Workspace, snapshot: Snapshot, entry: ExperimentEntry, records: Sequence[RunRecord]
) -> Standing:
    done = [record.latest.metrics for record in records if record.latest.outcome == "succeeded"]
    heads: tuple[str, ...] = ()
    if done:
        everywhere = frozenset(done[0]).intersection(*done[1:])
        heads = candidates_of(snapshot, entry, records[0], everywhere)
    own = tuple(judged(workspace, snapshot, entry, record) for record in records)
    return Standing(entry.name, heads, own)


def _records(
    snapshot: Snapshot, run_ids: Iterable[str], changed: Mapping[str, RunRecord]
) -> list[RunRecord]:
    known = snapshot.records(run_ids)
    return [changed.get(run_id, record) for run_id, record in known.items()]


def _checkpoint_pointer(record: RunRecord) -> dict[str, str]:
    """The pointer with which plain `dvc` can fetch the final export."""
    checkpoint = record.latest.checkpoint
    if checkpoint is None:
        return {}
    pointer = pointer_of(checkpoint.removeprefix("md5:"), "checkpoint")
    return {f"{folder(record.run_id)}/checkpoint.dvc": json.dumps(pointer, indent=1) + "\n"}
