"""Prices from the catalogs that SkyPilot has fetched to this machine, where it has.

SkyPilot keeps `~/.sky/catalogs/v<n>/<cloud>/vms.csv`; it is read as it lies there, without SkyPilot
and without asking anybody. Format: skypilot-org/skypilot-catalog, README.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(".sky") / "catalogs"


class Offer(NamedTuple):
    """US dollars for one GPU for an hour, in machines with a number of them, over all regions."""

    cloud: str
    low: float
    high: float
    spot_low: float | None
    spot_high: float | None
    read: str
    """The day when SkyPilot fetched it."""


@cache
def offers(gpu: str, count: int, home: Path) -> tuple[Offer, ...]:
    """Return what each cloud asks for `count` of `gpu`; empty where SkyPilot has fetched nothing.

    Looks at the newest version of the catalogs alone.
    """
    versions = sorted((home / FOLDER).glob("v*"), key=_version)
    files = sorted(versions[-1].glob("*/vms.csv")) if versions else []
    found = (_offer(file, gpu, count) for file in files)
    return tuple(offer for offer in found if offer)


def _version(folder: Path) -> int:
    number = folder.name.removeprefix("v")
    return int(number) if number.isdigit() else -1


def _offer(file: Path, gpu: str, count: int) -> Offer | None:
    rows = list(_rows(file, gpu, count))
    prices = [price / count for row in rows if (price := _number(row.get("Price")))]
    spots = [price / count for row in rows if (price := _number(row.get("SpotPrice")))]
    if not prices:
        return None
    day = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y-%m-%d")
    return Offer(
        cloud=file.parent.name,
        low=min(prices),
        high=max(prices),
        spot_low=min(spots, default=None),
        spot_high=max(spots, default=None),
        read=day,
    )


def _rows(file: Path, gpu: str, count: int) -> Iterator[dict[str, str]]:
    """Yield the machines with exactly `count` of `gpu`; most lines are passed over unparsed."""
    import csv

    try:
        with file.open(newline="", encoding="utf-8") as lines:
            header = next(lines, "")
            wanted = (line for line in lines if f",{gpu}," in line)
            for row in csv.DictReader(wanted, next(csv.reader([header]), [])):
                if (
                    row.get("AcceleratorName") == gpu
                    and _number(row.get("AcceleratorCount")) == count
                ):
                    yield row
    except (OSError, UnicodeDecodeError, csv.Error):
        return


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
