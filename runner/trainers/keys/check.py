"""Whether a trainer's version takes a key with a value, and the right key where it does not.

What is refused here is what the trainer itself would refuse or ignore, minutes after a cluster is
up: Hydra's rules for verl ("The command line override parser", Hydra 1.3), SkyRL's and TRL's own
parsers. `tests/oracles` holds the verdicts to those programs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from runner.spec.fields import nearest
from runner.spec.scalars import shown
from runner.trainers.keys.schema import EntryPoint, Schema, load, parents, versions

Kind = Literal["key", "unread", "value"]


class Fault(NamedTuple):
    """What is wrong with one key or its value."""

    kind: Kind
    """The key is none; nothing reads it; the value is none that it can have."""
    message: str
    cure: str
    instead: str = ""
    """The key or value to write in its place, where that is all there is to do."""


class Checker:
    """The keys of the program that a run starts."""

    def __init__(self, schema: Schema, entry: str, overrides: Mapping[str, Any]) -> None:
        """Check against an entry point's keys, with the configs that `overrides` choose."""
        self.trainer = f"{schema.name} {schema.version}"
        self._name, self._version, self._entry = schema.name, schema.version, entry
        self._keys = schema.entry_points[entry]
        self._has_prefixes = schema.name == "verl"
        self._sound: set[tuple[str, str]] = set()
        for group, choices in self._keys.groups.items():
            chosen = overrides.get(group)
            if isinstance(chosen, str) and chosen in choices:
                self._keys = self._keys.with_choice(group, chosen)

    def has(self, key: str) -> bool:
        """Whether there is such a key, in whatever way it has to be written."""
        listed = key in self._keys.keys or key in self._keys.sections
        return listed or self._keys.open_above(key) is not None

    def defaults(self) -> dict[str, Any]:
        """Return the default of each key that has one and needs no `+`."""
        return {
            key: said["default"]
            for key, said in self._keys.keys.items()
            if "default" in said and "add" not in said
        }

    def faults(self, key: str, value: Any) -> tuple[Fault, ...]:
        """Return what is wrong with `key: value`; empty when the trainer takes and reads it."""
        if not isinstance(value, str | int | float | None):
            return tuple(self._faults(key, value))
        said = (key, type(value), value)
        if said in self._keys.sound:
            return ()  # most specs say what another has said
        found = tuple(self._faults(key, value))
        if not found:
            self._keys.sound.add(said)
        return found

    def _faults(self, key: str, value: Any) -> Iterator[Fault]:
        prefix, bare = _split(key)
        if bare in self._keys.groups:
            yield from self._group(prefix, bare, value)
            return
        if prefix and not self._has_prefixes:
            message = f"{self.trainer} takes no key with `{prefix}`"
            if self.has(bare):
                yield Fault("key", message, f"write {bare}", bare)
            else:
                yield Fault("key", message, *self._cure(bare))
            return
        fault = self._key(prefix, bare, value)
        if fault is None and prefix != "~":
            fault = self._value(bare, value)
        if fault:
            yield fault

    def _group(self, prefix: str, group: str, value: Any) -> Iterator[Fault]:
        choices = list(self._keys.groups[group])
        if prefix:
            message = f"`{group}` chooses a part of the config, which takes no `{prefix}`"
            yield Fault("key", message, f"write {group}", group)
        elif value not in choices:
            yield _wrong_choice(group, value, choices)

    def _key(self, prefix: str, key: str, value: Any) -> Fault | None:
        keys = self._keys
        said = keys.keys.get(key)
        listed = key in keys.sections if said is None else "add" not in said
        if (note := keys.unread(key)) and (listed or prefix in ("+", "++")):
            return self._nothing_reads(key, f": {note.why}", *self._moved(note.to))
        if not self._has_prefixes:
            return None if listed or keys.open_above(key) else self._unknown(key)
        if listed:
            if prefix == "+" and self._has_value(key) and not isinstance(value, dict | list):
                message = f"`{key}` is in the config already, and `+` only adds"
                return Fault("key", message, f"write {key}, without +", key)
            return None
        if said is None and keys.open_above(key) is None:
            return self._new(prefix, key)
        if prefix in ("+", "++"):
            return None
        message = f"`{key}` is not in the config of {self.trainer} unless it is added with `+`"
        if prefix == "~":
            return Fault("key", message, "delete it")
        return Fault("key", message, f"write +{key}", f"+{key}")

    def _has_value(self, key: str) -> bool:
        """Whether the config has more than null there, which `+` may replace."""
        default = self._keys.keys.get(key, {}).get("default", ...)
        return default not in (None, "???") and "${" not in str(default)

    def _new(self, prefix: str, key: str) -> Fault | None:
        """Judge a key that neither the config nor a dataclass lists."""
        above = next((one for one in parents(key) if one in self._keys.sections), "")
        first = key.removeprefix(f"{above}.").partition(".")[0]
        if prefix not in ("+", "++") or above not in self._keys.loose:
            return self._unknown(key)
        if first in self._keys.names:
            return None
        return self._nothing_reads(key, "", *self._cure(key))

    def _nothing_reads(self, key: str, why: str, cure: str, instead: str = "") -> Fault:
        message = f"nothing in {self._entry} of {self.trainer} reads `{key}`{why}"
        return Fault("unread", message, cure, instead)

    def _moved(self, to: str | None) -> tuple[str, str]:
        """Return the cure for a key that has gone or has another name, and that name."""
        return (f"write {self._spelled(to)}", self._spelled(to)) if to else ("delete it", "")

    def _unknown(self, key: str) -> Fault:
        message = f"{self.trainer} has no key `{key}` in {self._entry}"
        if note := self._keys.moved(key):
            said = f": {note.why}" if note.why else ""
            return Fault("key", f"{message}{said}", *self._moved(note.to))
        if (note := self._keys.unread(key)) and note.to:
            return Fault("key", message, *self._moved(note.to))
        if chosen := self._keys.in_group(key):
            return Fault("key", f"{message}, but with {chosen}", f"add {chosen} to overrides")
        others = [one for one in versions(self._name) if one != self._version]
        having = [one for one in others if self._had(one, key)]
        if having:
            message += f"; {' and '.join(having)} {'has' if len(having) == 1 else 'have'} it"
            return Fault("key", message, f"pin {self._name}=={having[-1]}, or delete it")
        return Fault("key", message, *self._cure(key))

    def _had(self, version: str, key: str) -> bool:
        other = load(self._name, version)
        entry = other.entry_points.get(self._entry) if other else None
        return entry is not None and key in entry.keys and entry.unread(key) is None

    def _cure(self, key: str) -> tuple[str, str]:
        """Return the cure that names what was probably meant, and the key if it is one."""
        if meant := [self._spelled(one) for one in _meant(key, self._keys)]:
            return f"did you mean {' or '.join(meant)}?", meant[0] if len(meant) == 1 else ""
        return f"delete it; the keys are in schemas/trainers/{self._name}-{self._version}.json", ""

    def _spelled(self, key: str | None) -> str:
        """Return a key as it is to be written, with `+` where it needs one."""
        key = key or ""
        said = self._keys.keys.get(key)
        added = "add" in said if said else key not in self._keys.sections
        return f"+{key}" if added and self._has_prefixes and self.has(key) else key

    def _value(self, key: str, value: Any) -> Fault | None:
        said = self._keys.keys.get(key)
        if isinstance(value, str) and "${" in value:
            return None  # an interpolation: the trainer fills it in
        if said is None:
            in_section = key in self._keys.sections and value is not None
            if in_section and not isinstance(value, dict):
                message = f"`{key}` is a section of keys, not {_shown(value)}"
                return Fault("value", message, f"set the keys below {key}")
            return None
        if value == said.get("default", ...) and type(value) is type(said.get("default")):
            return None
        choices = self._keys.choices(key)
        if choices and not isinstance(value, list) and value is not None and value not in choices:
            return _wrong_choice(key, value, choices)
        wanted = said["type"].split("|") if "type" in said else _alike(said["like"])
        wanted = [*wanted, *self._keys.also(key)]
        if said.get("default", ...) is None:
            wanted.append("null")
        if any(_is(value, one) for one in wanted):
            return None
        words = " or ".join(_WORDS[one] for one in wanted if one != "null")
        message = f"`{key}` takes {words}, not {_shown(value)}"
        default = said.get("default")
        hint = f", such as its default {_shown(default)}" if default not in (None, {}, []) else ""
        return Fault("value", message, f"write {words}{hint}")


_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "list": "a list",
    "dict": "a mapping",
    "any": "any value",
}


def _shown(value: Any) -> str:
    return shown(json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value)


def _alike(kind: str) -> list[str]:
    """Return the types that a key may have whose only hint is its default in a YAML file."""
    if kind in ("int", "float"):
        return ["float", "null"]
    if kind in ("str", "list"):
        return ["str", "float", "list", "null"]
    return ["bool", "null"] if kind == "bool" else ["any"]


def _is(value: Any, kind: str) -> bool:
    if kind == "any":
        return True
    if kind in ("int", "float") and isinstance(value, bool):
        return False
    types: dict[str, tuple[type, ...]] = {
        "bool": (bool,), "int": (int,), "float": (int, float), "str": (str,),
        "list": (list, tuple), "dict": (dict,), "null": (type(None),),
    }  # fmt: skip
    return isinstance(value, types[kind])


def _wrong_choice(key: str, value: Any, choices: list[Any]) -> Fault:
    listed = ", ".join(str(one) for one in choices if one is not None)
    message = f"`{key}` cannot be {_shown(value)}; it is one of: {listed}"
    near = nearest(str(value), [str(one) for one in choices])
    if near is None:
        return Fault("value", message, "take one of these")
    return Fault("value", message, f"did you mean {near}?", near if near in choices else "")


def _split(key: str) -> tuple[str, str]:
    """Split Hydra's `+`, `++` or `~` from a key."""
    bare = key.lstrip("+~")
    return key[: len(key) - len(bare)], bare


def _meant(key: str, entry: EntryPoint) -> Iterator[str]:
    """Yield the keys that `key` probably stands for, three at most."""
    names = [one for one in entry.keys if one != key and entry.unread(one) is None]
    parts = key.split(".")
    for start in range(len(parts)):
        tail = ".".join(parts[start:])
        ending = [one for one in names if f".{one}".endswith(f".{tail}")]
        plain = [one for one in ending if "add" not in entry.keys[one]] or ending
        if plain and (len(plain) <= 3 or len(parts) - start > 1):
            yield from plain[:3]
            return
    if respelled := _respelled(parts, entry):
        yield respelled


def _respelled(parts: list[str], entry: EntryPoint) -> str | None:
    """Return the key whose every part is, or is spelled nearly like, that of `parts`."""
    from difflib import get_close_matches

    above = ""
    for part in parts:
        below = {
            one.removeprefix(above).partition(".")[0] for one in entry.keys if one.startswith(above)
        }
        near = [part] if part in below else get_close_matches(part, below, n=1, cutoff=0.7)
        if not near:
            return None
        above += f"{near[0]}."
    return above.rstrip(".")
