"""The keys of one version of a trainer, as its generated schema and our notes on it say.

A schema is loaded once per version, when a spec that pins it is checked, and asked by key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from runner.trainers.keys.notes import Note, Notes, notes_on

DATA = Path(__file__).parent / "data"
"""The generated schemas; `schemas/trainers` of the repository is a link to them."""


class EntryPoint:
    """The keys that one program of a trainer takes."""

    def __init__(self, said: Mapping[str, Any], notes: Notes, names: frozenset[str]) -> None:
        """Hold the schema's part on it, the notes, and the names that the trainer's code reads."""
        self.keys: dict[str, dict[str, Any]] = said["keys"]
        self.loose = frozenset(said.get("loose", ()))
        """Mappings that no dataclass is made of."""
        self.groups: dict[str, dict[str, Any]] = said.get("groups", {})
        self.names = names
        self.sound: set[tuple[str, type, object]] = set()
        """Keys with values in which nothing was found wrong before."""
        self._notes = notes

    @cached_property
    def sections(self) -> frozenset[str]:
        """The mappings that keys lie in."""
        return frozenset(above for key in self.keys if "." in key for above in parents(key))

    def open_above(self, key: str) -> str | None:
        """Return the mapping that takes any key, in which `key` lies or which it is; else None."""
        for above in (key, *parents(key)):
            said = self.keys.get(above, {})
            kinds = said.get("type", "")
            if above in self._notes.open or (
                ("dict" in kinds or "any" in kinds) and "section" not in said
            ):
                return above
        return None

    def moved(self, key: str) -> Note | None:
        """Return what became of a key of other versions, with the new spelling of all of `key`."""
        return _nearest(self._notes.moved, key)

    def unread(self, key: str) -> Note | None:
        """Return why nothing reads a key that the config has; None when something does."""
        return _nearest(self._notes.unread, key)

    def choices(self, key: str) -> list[Any]:
        """Return the values that `key` may have; empty where any will do."""
        noted = list(self._notes.choices.get(key, ()))
        return noted or list(self.keys.get(key, {}).get("choices", ()))

    def also(self, key: str) -> tuple[str, ...]:
        """Return the types that `key` takes besides those of the schema."""
        return self._notes.also.get(key, ())

    def in_group(self, key: str) -> str | None:
        """Return the choice of a config that brings `key`, as `group: choice`; None without one."""
        for group, choices in self.groups.items():
            for choice, change in choices.items():
                if key in change["keys"] and "add" not in change["keys"][key]:
                    return f"{group}: {choice}"
        return None

    def with_choice(self, group: str, choice: str) -> EntryPoint:
        """Return the keys where another config of `group` takes part."""
        change = self.groups[group][choice]
        gone = set(change["gone"])
        keys = {key: said for key, said in self.keys.items() if key not in gone}
        said = {
            "keys": {**keys, **change["keys"]},
            "loose": [*self.loose, *change["loose"]],
            "groups": self.groups,
        }
        return EntryPoint(said, self._notes, self.names)


class Schema(NamedTuple):
    """The programs of one version of a trainer."""

    name: str
    version: str
    entry_points: dict[str, EntryPoint]


def parents(key: str) -> Iterator[str]:
    """Yield the mappings that `key` lies in, the innermost first."""
    while "." in key:
        key = key.rpartition(".")[0]
        yield key


def _nearest(notes: Mapping[str, Note], key: str) -> Note | None:
    """Return the note on `key` or the mapping it lies in, the innermost, with `key` respelled."""
    for above in (key, *parents(key)):
        if above in notes:
            to, rest = notes[above].to, key.removeprefix(above)
            return notes[above]._replace(to=f"{to}{rest}" if to else None)
    return None


def versions(name: str) -> tuple[str, ...]:
    """Return the versions of a trainer that there is a schema of, oldest first."""
    found = [path.stem.removeprefix(f"{name}-") for path in DATA.glob(f"{name}-*.json")]
    return tuple(sorted(found, key=lambda one: [int(part) for part in one.split(".")]))


@lru_cache(maxsize=8)
def load(name: str, version: str) -> Schema | None:
    """Return the schema of a version; None where there is none."""
    path = DATA / f"{name}-{version}.json"
    if not path.is_file():
        return None
    said = json.loads(path.read_bytes())
    names = frozenset(said["reads"])
    return Schema(name, version, {
        entry: EntryPoint(keys, notes_on(name, version, entry), names)
        for entry, keys in said["entry_points"].items()
    })  # fmt: skip
