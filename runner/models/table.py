"""The committed table of common models: what their config.json says, with its source.

`scripts/model_table.py` writes `table.json` from the config.json files of the models' repositories.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runner.models.architecture import Architecture, from_config

FILE = Path(__file__).with_name("table.json")
GATED_OWNERS = ("meta-llama", "google")
"""Owners on the hub whose language models ask for a licence to be accepted first."""


class Row(NamedTuple):
    """One model of the table."""

    architecture: Architecture
    source: str
    """Where the values were taken from."""


@cache
def row(name: str) -> Row | None:
    """Return what the table says of the model `owner/name`; None where it has none."""
    found = _rows().get(name)
    architecture = from_config(found["config"]) if found else None
    return Row(architecture, found["source"]) if found and architecture else None


def names() -> tuple[str, ...]:
    """Return the models of the table, sorted."""
    return tuple(sorted(_rows()))


def is_gated(name: str) -> bool:
    """Whether the hub hands out the model only to who has accepted its licence."""
    found = _rows().get(name)
    owner, _, model = name.partition("/")
    listed = bool(found and found.get("gated"))
    return listed or (owner in GATED_OWNERS and model.lower().startswith(_GATED_MODELS))


_GATED_MODELS = ("llama", "meta-llama", "gemma", "codellama")


@cache
def _rows() -> dict[str, Any]:
    return dict(json.loads(FILE.read_bytes()))
