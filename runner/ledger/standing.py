"""Where runs stand, in short: `runs/<2 hex>/standing.json`, a file for all ids that begin alike.

A plan of ten thousand runs needs no more of most than that they were attempted and how they ended:
256 small files instead of ten thousand records. They follow from those: see `Draft.put_record`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.ledger.record import Outcome, RunRecord, State, ledger_json

FILE = "standing.json"


class Standing(NamedTuple):
    """Where the newest attempt of a run stands."""

    experiment: str
    """The one that it was claimed for."""
    state: State
    outcome: Outcome | None
    ended_at: str | None


def standing_of(record: RunRecord) -> Standing:
    """Return where `record` says that its run stands."""
    attempt = record.latest
    return Standing(record.experiment, attempt.state, attempt.outcome, attempt.ended_at)


def standing_path(run_id: str) -> str:
    """Return where the standing of a run is on the ledger branch."""
    return f"runs/{run_id[:2]}/{FILE}"


def standing_paths() -> list[str]:
    """Return the paths of all such files that there may be."""
    return [standing_path(f"{first:02x}") for first in range(256)]


def standing_json(standings: Mapping[str, Standing]) -> bytes:
    """Return the file's content."""
    return ledger_json({run_id: one._asdict() for run_id, one in standings.items()})


def read_standings(content: bytes) -> dict[str, Standing]:
    """Return what `standing_json` wrote; raises ValueError for anything else."""
    try:
        return {run_id: Standing(**row) for run_id, row in json.loads(content).items()}
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def standings_of(records: Iterable[RunRecord]) -> dict[str, Standing]:
    """Return the standings of `records` by run id."""
    return {record.run_id: standing_of(record) for record in records}
