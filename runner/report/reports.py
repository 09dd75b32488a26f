"""What the pages and tables say of runs, from the ledger and the run store."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from runner.ledger.documents import experiment_of, resolved_spec, spec_path
from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import Attempt, RunRecord
from runner.ledger.snapshot import Snapshot, record_path
from runner.report.headline import recorded_candidates
from runner.report.judge import judge_expectations
from runner.report.sections import RunReport
from runner.storage.runfolder import attempt_folder, curves_of
from runner.workspace import Workspace

PORTION = 200
"""Experiments whose runs are read at once where all of them are."""


class Portion(NamedTuple):
    """Some experiments, with what the ledger says of their runs."""

    entries: tuple[ExperimentEntry, ...]
    records: dict[str, RunRecord]
    snapshot: Snapshot
    """Has read what is needed of them, and is forgotten with them."""

    def of(self, run_ids: Iterable[str]) -> list[RunRecord]:
        """Return the records of those runs that have one."""
        return [self.records[run_id] for run_id in run_ids if run_id in self.records]


def present_runs(entry: ExperimentEntry) -> tuple[str, ...]:
    """Return the ids of the runs that an experiment stands for now."""
    return entry.runs


def in_portions(
    snapshot: Snapshot,
    entries: Iterable[ExperimentEntry],
    runs_of: Callable[[ExperimentEntry], Iterable[str]] = present_runs,
) -> Iterator[Portion]:
    """Yield some of `entries` at a time, with those runs of each that `runs_of` names."""
    rest = iter(entries)
    while some := tuple(itertools.islice(rest, PORTION)):
        part = snapshot.afresh()
        ids = {entry.name: tuple(runs_of(entry)) for entry in some}
        part.read_shards(record_path(run_id) for of_one in ids.values() for run_id in of_one)
        records = part.records(run_id for of_one in ids.values() for run_id in of_one)
        unsaid = (
            run_id
            for entry in some
            for run_id in ids[entry.name]
            if run_id in records and not _says_all(entry, records[run_id].latest)
        )
        part.read_shards(map(spec_path, unsaid))
        yield Portion(some, records, part)


def _says_all(entry: ExperimentEntry, attempt: Attempt) -> bool:
    """Whether a table needs no look at the run's spec: see `judged` and `candidates_of`."""
    is_headed = bool(entry.expect) and entry.expect[0].metric in attempt.metrics
    return is_headed and _is_judged_by(entry, attempt)


def _is_judged_by(entry: ExperimentEntry, attempt: Attempt) -> bool:
    judged = [(one.metric, one.condition) for one in attempt.judgements]
    return judged == [(one.metric, one.condition) for one in entry.expect]


def judged(
    workspace: Workspace, snapshot: Snapshot, entry: ExperimentEntry, record: RunRecord
) -> RunRecord:
    """Return a run's record, judged by what the experiment expects itself.

    Its curves are read only where that is not what was judged when the run ended.
    """
    if record.is_active or _is_judged_by(entry, record.latest):
        return record
    expect = entry.model_dump(mode="json")["expect"]
    if resolved_spec(snapshot, record.run_id).get("expect", []) == expect:
        return record
    return _judged_by(entry, report_of(workspace, snapshot, record)).record


def candidates_of(
    snapshot: Snapshot, entry: ExperimentEntry | None, record: RunRecord, measured: Iterable[str]
) -> tuple[str, ...]:
    """Return the metrics that may head a run, the best first.

    The spec is not read where the first of them was measured.
    """
    expect = [one.metric for one in entry.expect] if entry else []
    if expect and expect[0] in measured:
        return (expect[0],)
    spec = resolved_spec(snapshot, record.run_id)
    own = {"expect": [{metric: ""} for metric in expect]} if entry else {}
    return recorded_candidates({**spec, **own})


def reports_of(
    workspace: Workspace,
    snapshot: Snapshot,
    entry: ExperimentEntry,
    changed: Mapping[str, RunRecord] = MappingProxyType({}),
) -> list[RunReport]:
    """Return what the pages say about an experiment's runs, judged by what it expects itself.

    Two files of one identity share their runs and may expect different things of them; and what a
    file expects may have been edited since. `changed` are records newer than the snapshot's.
    """
    known = snapshot.records(entry.runs)
    records = (changed.get(run_id, record) for run_id, record in known.items())
    reports = (report_of(workspace, snapshot, record) for record in records)
    return [_judged_by(entry, report) for report in reports]


def _judged_by(entry: ExperimentEntry, report: RunReport) -> RunReport:
    if entry.expect == report.spec.expect:
        return report
    spec = report.spec.model_copy(update={"expect": entry.expect})
    latest = report.record.latest
    if latest.state == "ended":
        judgements = judge_expectations(spec, report.curves)
        latest = latest.model_copy(update={"judgements": judgements})
    return report._replace(spec=spec, record=report.record.with_latest(latest))


def report_of(workspace: Workspace, snapshot: Snapshot, record: RunRecord) -> RunReport:
    """Return everything that the pages say about a run, from the ledger and the run store."""
    evidence = None if record.is_active else attempt_folder(workspace, record).evidence()
    spec = experiment_of(snapshot, record.run_id)
    wandb = "" if record.is_active else _wandb_folder(workspace, record)
    return RunReport(record, spec, curves_of(workspace, record, snapshot), evidence, wandb)


def _wandb_folder(workspace: Workspace, record: RunRecord) -> str:
    """Return where the W&B offline run of the newest attempt is in the run store, by epoch."""
    part = attempt_folder(workspace, record)
    names = (part.store.list(f"{part.attempt}/epoch-{epoch}/wandb") for epoch in part.epochs)
    runs = [sorted(name for name in group if name.endswith(".wandb")) for group in names]
    urls = [part.store.url(group[0].rpartition("/")[0]) for group in runs if group]
    # A folder of the registry is said from its root.
    return " ".join(url.removeprefix(f"{workspace.root}/") for url in urls)
