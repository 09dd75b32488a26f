"""Up to which commit everything is settled: `settled/watermark.json`, `settled/readers.json`.

At the commit of the watermark every experiment but the open ones is as `settled/` says. So a plan
of another commit looks at what differs between the two, and at nothing else: neither at ten
thousand specs nor at as many notes. What several experiments read is looked up in `readers.json`.
Both follow from `settled/` and are written with it; where one is missing or damaged, plans compare
every note with the tree instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.ledger.record import ledger_json
from runner.ledger.settled import FOLDER, Settled

WATERMARK = f"{FOLDER}/watermark.json"
READERS = f"{FOLDER}/readers.json"
FEW = 8
"""So many experiments that read a file are named; of one with more it is only known that it has."""

Names = list[str] | None
"""Experiments; None: too many to name."""


class Watermark(NamedTuple):
    """The commit up to which everything but `open` is settled."""

    commit: str
    basis: str
    """Digest of the settings and the program, for which this holds."""
    runs: int
    """How many the settled experiments have."""
    open: tuple[str, ...]
    """Experiments of that commit that are not settled: held, refused, waiting, or replaced while a
    former run goes on."""


class Readers(NamedTuple):
    """Which settled experiments read what, beside their own file; maybe some that did before."""

    files: dict[str, Names]
    listings: dict[str, Names]
    """By `<folder>|<suffix>`: see `Footprint`."""


def watermark_json(mark: Watermark) -> bytes:
    """Return the file's content."""
    return ledger_json(mark._asdict())


def read_watermark(content: bytes | None) -> Watermark | None:
    """Return what `watermark_json` wrote; None for anything else."""
    try:
        found = Watermark(**json.loads(content or b""))
        return found._replace(runs=int(found.runs), open=tuple(map(str, found.open)))
    except (ValueError, TypeError):
        return None


def readers_json(readers: Readers) -> bytes:
    """Return the file's content, a line per path."""
    parts = ",\n".join(_lines(part) for part in readers)
    return f"[{parts}]\n".encode()


def read_readers(content: bytes | None) -> Readers | None:
    """Return what `readers_json` wrote; None for anything else."""
    try:
        files, listings = json.loads(content or b"")
    except (ValueError, TypeError):
        return None
    is_sound = isinstance(files, dict) and isinstance(listings, dict)
    return Readers(files, listings) if is_sound else None


def readers_with(readers: Readers, experiments: Mapping[str, Settled]) -> Readers:
    """Return `readers` and what `experiments` read."""
    files, listings = dict(readers.files), dict(readers.listings)
    for name, one in experiments.items():
        _add(files, one.footprint.files, name)
        _add(listings, one.footprint.listings, name)
    return Readers(files, listings)


def _add(readers: dict[str, Names], read: Iterable[str], name: str) -> None:
    for key in read:
        known = readers.get(key, [])
        if known is not None and name not in known:
            readers[key] = [*known, name] if len(known) < FEW else None


def _lines(part: Mapping[str, Names]) -> str:
    rows = (
        f"{json.dumps(key)}:{json.dumps(part[key], separators=(',', ':'))}" for key in sorted(part)
    )
    return "{" + ",\n".join(rows) + "}"
