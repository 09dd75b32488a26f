"""What a trainer's code says of its keys and its configs do not, by hand, each with its place.

`runner schema --trainer` reads keys, types and defaults; what became of a key of another version,
what nothing reads, what takes keys of its own and what values a comparison in the code knows is
written here, per version. A version without notes is checked by its schema alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple


class Note(NamedTuple):
    """What is to be known of a key and of all below it."""

    to: str | None
    """The key that takes its place; None where none does."""
    why: str
    """Why, and where that is to be seen."""


class Notes(NamedTuple):
    """The notes on one entry point of one version."""

    moved: Mapping[str, Note] = {}
    """Keys of other versions that are gone."""
    unread: Mapping[str, Note] = {}
    """Keys that the config takes and that nothing in this entry point reads."""
    open: tuple[str, ...] = ()
    """Mappings whose keys are handed on as they are."""
    choices: Mapping[str, tuple[Any, ...]] = {}
    """The values that code compares a key with, where it takes no other."""
    also: Mapping[str, tuple[str, ...]] = {}
    """Types that code takes besides the annotated one."""


NOTED = ("verl", "skyrl", "trl")
"""Trainers with notes, each in a module of its name."""


def notes_on(name: str, version: str, entry: str) -> Notes:
    """Return the notes on an entry point; empty where there are none."""
    if name not in NOTED:
        return Notes()
    table = import_module(f"{__name__}.{name}").NOTES
    found: Notes = table.get(version, {}).get(entry, Notes())
    return found
