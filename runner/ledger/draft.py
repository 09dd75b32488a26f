"""What one transaction changes in the ledger, built so that nothing is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from runner.ledger.entry import ExperimentEntry
from runner.ledger.record import RunRecord, check_successor, ledger_json
from runner.ledger.settled import Settled, settled_json, settled_path
from runner.ledger.sharing import shared_file, shared_path
from runner.ledger.snapshot import ACTIVE, APPLIED, Snapshot, record_path
from runner.ledger.spending import spending_files
from runner.ledger.standing import (
    Standing,
    read_standings,
    standing_json,
    standing_of,
    standing_path,
    standings_of,
)
from runner.ledger.watermark import (
    READERS,
    WATERMARK,
    Readers,
    Watermark,
    readers_json,
    watermark_json,
)


class Changes(NamedTuple):
    """Files to write (None: to delete) on top of a snapshot, and why, in one line."""

    files: Mapping[str, bytes | None]
    message: str = ""


NAMED = 5
"""So many runs are named in the message of a commit; the others are counted."""


def told_of(runs: Iterable[str]) -> str:
    """Return `a, b and 7 more`: what a commit's message says of several runs."""
    told = list(runs)
    more = [f"and {len(told) - NAMED:,} more"] if len(told) > NAMED else []
    return " ".join([", ".join(told[:NAMED]), *more])


def record_files(record: RunRecord) -> dict[str, bytes]:
    """Return the files that hold `record` itself, without active.json: see `Draft.put_record`."""
    return {record_path(record.run_id): record.to_json()}


class Draft:
    """Collects the changes of one transaction on top of `snapshot`."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Start without changes."""
        self.snapshot = snapshot
        self._files: dict[str, bytes | None] = {}
        self._records: dict[str, RunRecord] = {}

    def put(self, path: str, content: bytes | None) -> Draft:
        """Write (None: delete) one file."""
        self._files[path] = content
        return self

    def record(self, run_id: str) -> RunRecord | None:
        """Return the run's record as this draft leaves it."""
        return self._records.get(run_id) or self.snapshot.record(run_id)

    def put_record(self, record: RunRecord) -> Draft:
        """Write a run's record; the list of active runs and what the month takes follow.

        Raises Refused when it contradicts the record there: see `check_successor`.
        """
        check_successor(self.record(record.run_id), record)
        self._records[record.run_id] = record
        return self

    def put_records(self, records: Iterable[RunRecord]) -> Draft:
        """Write several records as `put_record` does, reading what is there in one batch."""
        given = list(records)
        paths = ((record_path(one.run_id), standing_path(one.run_id)) for one in given)
        self.snapshot.read_many(path for both in paths for path in both)
        for record in given:
            self.put_record(record)
        return self

    def _record_files(self) -> dict[str, bytes | None]:
        """The records' own files, with the list of active runs and the months' in step."""
        if not self._records:
            return {}
        active = self.snapshot.active()
        files: dict[str, bytes | None] = {}
        for run_id, record in self._records.items():
            files.update(record_files(record))
            active.pop(run_id, None)
            if record.is_active:
                active[run_id] = record.latest.number
        spending = spending_files(self.snapshot, self._records.values())
        return {**files, **spending, **self._standing_files(), ACTIVE: ledger_json(active)}

    def _standing_files(self) -> dict[str, bytes]:
        shards: dict[str, dict[str, Standing]] = {}
        for run_id, record in self._records.items():
            path = standing_path(run_id)
            if path not in shards:
                shards[path] = self._standings_beside(run_id)
            shards[path][run_id] = standing_of(record)
        return {path: standing_json(standings) for path, standings in shards.items()}

    def _standings_beside(self, run_id: str) -> dict[str, Standing]:
        """Return where the runs stand whose ids begin like `run_id`.

        Where the file is missing or damaged it is made again from their records.
        """
        with suppress(ValueError):
            return read_standings(self.snapshot.read(standing_path(run_id)) or b"")
        beside = self.snapshot.names(f"runs/{run_id[:2]}")
        return standings_of(self.snapshot.records(beside).values())

    def put_experiment(self, entry: ExperimentEntry) -> Draft:
        """Write what is known of an experiment; its history only ever grows."""
        complete = entry.after(self.snapshot.experiment(entry.name))
        for run_id in complete.runs:
            record = self.record(run_id)
            if record and record.experiment != entry.name:
                path = shared_path(run_id)
                there = self._files.get(path) or self.snapshot.read(path)
                self.put(path, shared_file(there, entry.name))
        return self.put(entry.path, complete.to_json())

    def put_settled(self, changed: Mapping[str, Settled | None]) -> Draft:
        """Note experiments as settled (None: no more); see `runner.ledger.settled`."""
        shards: dict[str, dict[str, Settled | None]] = {}
        self.snapshot.read_shards(map(settled_path, changed))  # together
        for name, one in changed.items():
            path = settled_path(name)
            shard = shards.setdefault(path, dict(self.snapshot.settled_beside(path)))
            shard[name] = one
        for path, shard in shards.items():
            experiments = {name: one for name, one in shard.items() if one is not None}
            self.put(path, settled_json(experiments) if experiments else None)
        return self

    def put_watermark(self, mark: Watermark, readers: Readers) -> Draft:
        """Note up to where everything is settled; see `runner.ledger.watermark`."""
        return self.put(WATERMARK, watermark_json(mark)).put(READERS, readers_json(readers))

    def set_applied(self, commit: str) -> Draft:
        """Note `commit` as the last that was reconciled, and which was before it.

        The same commit again leaves what was before it: see `runner.policy.trust`.
        """
        last = self.snapshot.applied()
        before = self.snapshot.applied_before() if last == commit else last
        return self.put(APPLIED, ledger_json({"commit": commit, "before": before}))

    def changes(self, message: str = "") -> Changes:
        """Return everything put so far."""
        return Changes({**self._files, **self._record_files()}, message)
