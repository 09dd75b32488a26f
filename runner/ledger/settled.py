"""What plans need not look at again: `settled/<2 hex>.json`, by the SHA-1 of an experiment's name.

An apply notes of each experiment whose runs have all been attempted which runs those are, and of
everything that this follows from: its own file, the files and listings that were read for it, the
settings and the program. Where all of that is the same in a tree, so are the runs: nothing of the
experiment is read, checked or resolved again. A missing or damaged file only costs time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

FOLDER = "settled"
_NO_POINT: dict[str, Any] = {}
"""One for all: most runs have no matrix."""


class Footprint(NamedTuple):
    """What was read of a tree for an experiment, without its own file."""

    files: dict[str, str]
    """Git's blob id by path; empty where there is no such file."""
    listings: dict[str, str]
    """Digest of the paths below a folder with a suffix, by `<folder>|<suffix>`."""


class SettledRun(NamedTuple):
    """A run that was attempted."""

    run_id: str
    seed: int
    point: dict[str, Any]


class Settled(NamedTuple):
    """An experiment whose runs have all been attempted."""

    file: str
    """Blob id of its own file."""
    trainer: str
    runs: tuple[SettledRun, ...]
    footprint: Footprint
    basis: str
    """Digest of the settings and the program, for which this holds."""


def settled_path(name: str) -> str:
    """Return the file on the ledger branch that has the experiment `name`."""
    return f"{FOLDER}/{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:2]}.json"


def settled_paths() -> list[str]:
    """Return the paths of all such files that there may be."""
    return [f"{FOLDER}/{number:02x}.json" for number in range(256)]


def settled_json(experiments: Mapping[str, Settled]) -> bytes:
    """Return a file's content: footprints once each, then a line per experiment."""
    footprints = {_key(one.footprint): one.footprint for one in experiments.values()}
    rows = {
        name: [one.file, _key(one.footprint), one.basis, one.trainer, *map(_row, one.runs)]
        for name, one in experiments.items()
    }
    parts = (_lines(footprints), _lines(rows))
    return f"[{{\n{parts[0]}\n}},{{\n{parts[1]}\n}}]\n".encode()


def read_settled(content: bytes, shared: dict[str, Footprint]) -> dict[str, Settled]:
    """Return what `settled_json` wrote; raises ValueError for anything else.

    Footprints that are in several files are one value, kept in `shared`.
    """
    try:
        kept, rows = json.loads(content)
        footprints = {
            key: shared.get(key) or shared.setdefault(key, Footprint(*one))
            for key, one in kept.items()
        }
        return {
            name: Settled(file, trainer, tuple(map(_run, runs)), footprints[key], basis)
            for name, (file, key, basis, trainer, *runs) in rows.items()
        }
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(str(error)) from error


def _lines(values: Mapping[str, Any]) -> str:
    return ",\n".join(f"{json.dumps(key)}:{_compact(values[key])}" for key in sorted(values))


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _key(footprint: Footprint) -> str:
    return hashlib.sha256(_compact(footprint).encode()).hexdigest()[:16]


def _row(run: SettledRun) -> list[Any]:
    return [run.run_id, run.seed, *([run.point] if run.point else [])]


def _run(row: list[Any]) -> SettledRun:
    run_id, seed, *point = row
    return SettledRun(run_id, seed, point[0] if point else _NO_POINT)
