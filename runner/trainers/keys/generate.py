"""The schema of one version of a trainer, from its published wheel: `runner schema --trainer`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from runner.errors import Refused
from runner.trainers.keys import from_skyrl, from_trl, from_verl, wheel
from runner.trainers.keys.schema import DATA
from runner.trainers.keys.source import Source

READERS: dict[str, Any] = {"verl": from_verl, "skyrl": from_skyrl, "trl": from_trl}
BESIDE = {"skyrl-gym": "0.4.0", "transformers": "5.10.4"}
"""Versions of the packages that hold a part of a trainer's config: those of the training locks."""


def write(pin: str, given: Path | None, folder: Path = DATA, cache: Path | None = None) -> Path:
    """Write the schema of `pin`, such as verl==0.9.1, from the wheel `given` or the index's.

    Returns the file. Raises Refused for what is no trainer with keys, OutsideError without wheel.
    """
    name, _, version = pin.partition("==")
    if name not in READERS or not version:
        raise Refused(
            f"`{pin[:60]}` has no keys to read",
            cure=f"write one of {', '.join(READERS)} with its version, such as verl==0.9.1",
        )
    target = folder / f"{name}-{version}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text(name, version, given, cache))
    return target


def text(name: str, version: str, given: Path | None = None, cache: Path | None = None) -> str:
    """Return the schema of a version: one line a key, so that two versions compare well."""
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as temporary:
        place = cache or Path(temporary)
        main = wheel.check(given, name, version) if given else wheel.fetch(name, version, place)
        others = {
            other: wheel.fetch(other, BESIDE[other], place)
            for other in getattr(reader, "NEEDS", ())
        }
        source = Source(main, *others.values())
        entries = reader.entry_points(source)
        names = reader.reads(source) if hasattr(reader, "reads") else []
        wheels = {path.name: wheel.digest(path) for path in (main, *others.values())}
    head = {"trainer": name, "version": version, "wheels": wheels}
    return _laid_out({**head, "reads": names, "entry_points": entries})


def _laid_out(document: dict[str, Any]) -> str:
    """Return JSON with one line for each key of the trainer, and for each other short value."""
    return _block(document, "") + "\n"


def _block(value: Any, indent: str) -> str:
    is_record = isinstance(value, dict) and ("type" in value or "like" in value)
    if not isinstance(value, dict) or not value or is_record:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    lines = [f"{inner}{json.dumps(key)}: {_block(one, inner)}" for key, one in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
