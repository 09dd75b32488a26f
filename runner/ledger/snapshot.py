"""The ledger at one commit, read-only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TypeVar

from runner.errors import Refused
from runner.git.repository import Repository
from runner.ledger.entry import FOLDER, INDEX, ExperimentEntry, entry_path
from runner.ledger.mending import unreadable
from runner.ledger.record import RunRecord, folder
from runner.ledger.settled import (
    Footprint,
    Settled,
    read_settled,
    settled_path,
    settled_paths,
)
from runner.ledger.standing import Standing, read_standings, standing_path, standing_paths
from runner.ledger.watermark import (
    READERS,
    WATERMARK,
    Readers,
    Watermark,
    read_readers,
    read_watermark,
)

ACTIVE = "active.json"
"""Run id to attempt number of whatever may still be going on: nothing has to read every record."""
APPLIED = "applied.json"
LINEAGE = "lineage"

_FEW = 200
"""Up to here, looking paths up one by one is cheaper than listing the tree."""
_TOGETHER = 64
"""So many files of an index are read at once: all of them together would take room."""
_PREFIX = re.compile(r"[0-9a-f]{4,12}")

T = TypeVar("T")


def record_path(run_id: str) -> str:
    """Return where the record of a run is on the ledger branch."""
    return f"{folder(run_id)}/record.json"


class Snapshot:
    """What the ledger said at one commit; without a commit it is empty."""

    def __init__(self, repository: Repository, commit: str | None, home: str = "") -> None:
        """Look at `commit` of `repository`; nothing is read before it is asked for.

        `home` tells `git push` where the ledger is.
        """
        self.commit = commit
        self._repository = repository
        self._home = home
        self._content: dict[str, bytes | None] = {}
        self._expected: list[str] = []
        self._notes: dict[str, dict[str, Settled]] = {}
        self._short: dict[str, dict[str, Standing]] = {}

    def afresh(self) -> Snapshot:
        """Return the same ledger, without what was read of it: for one part of many."""
        return Snapshot(self._repository, self.commit, self._home)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of the file at `path`, None when there is none."""
        return self.read_many([path]).get(path)

    def expect(self, paths: Iterable[str]) -> None:
        """Let git begin to read `paths`, which will be read: for few, as `read_shards` is."""
        if self.commit:
            new = [path for path in paths if path not in self._content]
            self._repository.expect(f"{self.commit}:{path}" for path in new)
            self._expected += new

    def _take_expected(self) -> None:
        """Keep what was expected all at once: git has read it together too."""
        new, self._expected = self._expected, []
        if self.commit and new:
            self._content.update(dict.fromkeys(new))
            self._content.update(self._repository.read_paths(self.commit, new))

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those `paths` that are there, all read by one process."""
        self._take_expected()
        wanted = list(dict.fromkeys(paths))
        new = [path for path in wanted if path not in self._content]
        if self.commit and new:
            self._content.update(dict.fromkeys(new))
            self._content.update(self._read(self.commit, new))
        return {
            path: content for path in wanted if (content := self._content.get(path)) is not None
        }

    def read_shards(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return `read_many` of paths in folders of their own: none of them is listed for it."""
        self._take_expected()
        wanted = list(paths)
        new = [path for path in wanted if path not in self._content]
        if self.commit and new:
            self._content.update(dict.fromkeys(new))
            self._content.update(self._repository.read_paths(self.commit, new))
        return {path: found for path in wanted if (found := self._content.get(path)) is not None}

    def _shards(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Yield the bytes of those `paths` that are there, some at a time; none is kept."""
        for first in range(0, len(paths), _TOGETHER):
            part = paths[first : first + _TOGETHER]
            if self.commit:
                yield from self._repository.read_paths(self.commit, part).values()

    def _read(self, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
        if len(paths) <= _FEW:
            return self._repository.read_paths(commit, paths)
        files = self._repository.files(commit)
        oids = {path: files[path].oid for path in paths if path in files}
        content = self._repository.read_many(oids.values())
        return {path: content[oid] for path, oid in oids.items()}

    def names(self, folder: str) -> list[str]:
        """Return the names of what is directly below `folder`."""
        return self._repository.folders(self.commit, folder) if self.commit else []

    def record(self, run_id: str) -> RunRecord | None:
        """Return the record of the run, None when it was never launched."""
        return self.records([run_id]).get(run_id)

    def records(self, run_ids: Iterable[str]) -> dict[str, RunRecord]:
        """Return the records of those runs that have one, in the order asked for.

        Raises Refused where that of a run is gone that may still be going on.
        """
        paths = {record_path(run_id): run_id for run_id in run_ids}
        found = self.read_many(paths)
        if self.commit and len(found) < len(paths):
            going = self.active()
            found |= {path: b"" for path, i in paths.items() if i in going and path not in found}
        return {paths[path]: self._parse_record(path, text) for path, text in found.items()}

    def _parse_record(self, path: str, content: bytes) -> RunRecord:
        return self.parsed(path, content, RunRecord.from_json)

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """Where each run stands; those of a file that is damaged are left out."""
        found: dict[str, Standing] = {}
        for content in self._shards(standing_paths()):
            with suppress(ValueError):
                found |= read_standings(content)
        return found

    @cached_property
    def settled(self) -> dict[str, Settled]:
        """The experiments whose runs have all been attempted; see `runner.ledger.settled`."""
        found: dict[str, Settled] = {}
        shared: dict[str, Footprint] = {}
        for content in self._shards(settled_paths()):
            with suppress(ValueError):
                found |= read_settled(content, shared)
        return found

    def standings_among(self, run_ids: Iterable[str]) -> dict[str, Standing]:
        """Return where those of `run_ids` stand of which it is known, each file read once."""
        wanted = {run_id: standing_path(run_id) for run_id in run_ids}
        new = [path for path in wanted.values() if path not in self._short]
        self._short.update((path, {}) for path in new)
        for path, content in self.read_shards(new).items():
            with suppress(ValueError):
                self._short[path] = read_standings(content)
        found = {run_id: self._short[path].get(run_id) for run_id, path in wanted.items()}
        return {run_id: standing for run_id, standing in found.items() if standing}

    def settled_beside(self, path: str) -> dict[str, Settled]:
        """Return the settled experiments of one file of `settled/`; none of one that is damaged."""
        if path not in self._notes:
            self._notes[path] = {}
            for content in self.read_shards([path]).values():
                with suppress(ValueError):
                    self._notes[path] = read_settled(content, {})
        return self._notes[path]

    def settled_note(self, name: str) -> Settled | None:
        """Return what is noted of one experiment, None where nothing is."""
        return self.settled_beside(settled_path(name)).get(name)

    @cached_property
    def watermark(self) -> Watermark | None:
        """Up to where everything is settled; None where that is not known."""
        return read_watermark(self.read_shards([WATERMARK]).get(WATERMARK))

    @cached_property
    def readers(self) -> Readers | None:
        """Which experiments read what; None where that is not known."""
        return read_readers(self.read_shards([READERS]).get(READERS))

    def active(self) -> dict[str, int]:
        """Return the attempt number of each run that may still be going on."""
        content = self.read(ACTIVE) if self.commit else b"{}"
        # A ledger without this file is no ledger on which nothing goes on.
        return self.parsed(ACTIVE, content or b"", _attempts)

    def applied(self) -> str | None:
        """Return the last commit that was reconciled, None before the first."""
        return self._applied().get("commit")

    def applied_before(self) -> str | None:
        """Return the commit that was reconciled before that one, None where there was none."""
        return self._applied().get("before")

    def _applied(self) -> dict[str, str | None]:
        return self.parsed(APPLIED, self.read(APPLIED) or b"{}", _commits)

    def experiment(self, name: str) -> ExperimentEntry | None:
        """Return what is known of the experiment, None when it was never reconciled."""
        content = self.read(entry_path(name))
        return None if content is None else self._parse_entry(entry_path(name), content)

    def experiments_of(self, names: Iterable[str]) -> list[ExperimentEntry]:
        """Return what is known of those experiments that were ever reconciled."""
        found = self.read_shards(map(entry_path, names))
        return [self._parse_entry(path, content) for path, content in found.items()]

    def experiments(self) -> dict[str, ExperimentEntry]:
        """Return every experiment ever reconciled by name, sorted, read in one batch."""
        return dict(self._experiments)

    @cached_property
    def _experiments(self) -> dict[str, ExperimentEntry]:
        if self.commit is None:
            return {}
        files = self._repository.files(self.commit, FOLDER)
        oids = {path: file.oid for path, file in files.items() if path.endswith(f"/{INDEX}")}
        content = self._repository.read_many(oids.values())
        entries = [self._parse_entry(path, content[oid]) for path, oid in sorted(oids.items())]
        return {entry.name: entry for entry in entries}

    def _parse_entry(self, path: str, content: bytes) -> ExperimentEntry:
        return self.parsed(path, content, ExperimentEntry.model_validate_json)

    def parsed(self, path: str, content: bytes, parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the file at `path`; raises Refused, with the way back."""
        try:
            return parse(content)
        except ValueError as error:
            raise unreadable(
                self._repository, self.commit, path, error, parse, self._home
            ) from error

    def find(self, run: str) -> RunRecord:
        """Return the run that a person means by `run`.

        It is an experiment's name (its newest run) or a run id or the first four or more digits of
        one. Raises Refused, with the candidates where there are several, else with a near spelling.
        """
        if entry := self.experiment(run):
            return self._newest(entry)
        if not _PREFIX.fullmatch(run):
            raise self._unknown(run)
        ids = self._starting_with(run)
        if len(ids) > 1:
            cure = "add digits until one is left"
            raise Refused(f"{run} begins several runs: {', '.join(ids)}", cure=cure)
        record = self.record(ids[0]) if ids else None
        if record is None:
            raise self._unknown(run)
        return record

    def _starting_with(self, prefix: str) -> list[str]:
        names = self.names(f"runs/{prefix[:2]}")
        return sorted(name for name in names if name.startswith(prefix))

    def _newest(self, entry: ExperimentEntry) -> RunRecord:
        records = list(self.records((*entry.history, *entry.runs)).values())
        if not records:
            raise Refused(
                f"{entry.name} has not been launched yet", cure=f"runner launch {entry.name}"
            )
        # Of several claimed in the same second, the last in the entry's order.
        return max(reversed(records), key=lambda record: record.latest.claimed_at)

    def _unknown(self, run: str) -> Refused:
        import difflib

        known = self.experiments()
        near = [name for name in known if name.endswith(f"/{run}")]
        near = near or difflib.get_close_matches(run, known, n=3, cutoff=0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        cure = "runner status --all   lists every run"
        return Refused(f"the ledger knows no run or experiment {run!r}{hint}", cure=cure)


def _attempts(content: bytes) -> dict[str, int]:
    """Return the attempt number by run id; raises ValueError."""
    found = json.loads(content)
    if not isinstance(found, dict) or any(type(number) is not int for number in found.values()):
        raise ValueError("no numbers of attempts by run id")
    return found


def _commits(content: bytes) -> dict[str, str | None]:
    """Return the commits that were applied; raises ValueError."""
    found = json.loads(content)
    if not isinstance(found, dict) or any(
        not isinstance(one, str | None) for one in found.values()
    ):
        raise ValueError("no commits by name")
    return found
