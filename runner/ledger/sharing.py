"""Runs that stand for several experiments: `shared.json` beside their records.

Two files of one identity share a run, which the record says of one of them alone. The others are
found here, without a look at every experiment. Written by `Draft.put_experiment`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from runner.ledger.record import folder, ledger_json
from runner.ledger.snapshot import Snapshot


def shared_path(run_id: str) -> str:
    """Return where the further experiments of a run are on the ledger branch."""
    return f"{folder(run_id)}/shared.json"


def shared_by(snapshot: Snapshot, run_ids: Iterable[str]) -> list[str]:
    """Return the experiments, but for those that launched them, that ever stood for these runs.

    A file that is damaged names none: it is only for their pages.
    """
    found = snapshot.read_shards(map(shared_path, run_ids))
    return list(dict.fromkeys(name for content in found.values() for name in _names(content)))


def shared_file(there: bytes | None, name: str) -> bytes:
    """Return the file with the experiment `name` besides those that are `there`."""
    return ledger_json(sorted({*_names(there or b"[]"), name}))


def _names(content: bytes) -> list[str]:
    try:
        return [str(name) for name in json.loads(content)]
    except (ValueError, TypeError):
        return []
