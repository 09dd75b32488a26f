"""The keys of a trainer's own config that a spec says past its fields.

They stand in `overrides`, or as `key=value` and `--key value` in a script's command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.rules.base import Subject
from runner.spec.experiment import Experiment
from runner.spec.node import Path
from runner.spec.scalars import BadScalar, resolve

_SETTING = re.compile(r"(?:\+{0,2}|--)(?P<key>[A-Za-z_][\w.-]*)=(?P<value>.+)")
_OPTION = re.compile(r"--(?P<key>[A-Za-z][\w.-]*)")


class Raw(NamedTuple):
    """One raw key, where the spec says it, and its value."""

    path: Path
    key: str
    """Without `+`, `~` or dashes in front; of an option of a program with `_` for `-`."""
    value: Any


def raw_keys(spec: Experiment) -> dict[str, Raw]:
    """Return the raw keys of `spec` by key; of one that stands twice the last counts."""
    found = [*_overrides(spec.overrides, ("overrides",), "")]
    found += _command(spec.script.command) if spec.script else ()
    return {one.key: one for one in found}


def raw_value(subject: Subject, *keys: str) -> Raw | None:
    """Return the first of `keys` that the spec says past its fields."""
    said = raw_keys(subject.spec)
    return next((said[key] for key in keys if key in said), None)


def _overrides(tree: Mapping[str, Any], path: Path, prefix: str) -> Iterator[Raw]:
    for key, value in tree.items():
        below, dotted = (*path, key), prefix + key
        if isinstance(value, dict) and value:
            yield from _overrides(value, below, f"{dotted}.")
        else:
            yield Raw(below, dotted.lstrip("+~"), value)


def _command(command: tuple[str, ...]) -> Iterator[Raw]:
    """Yield the settings in a command; one argument may hold a whole line of a shell."""
    words = [(index, word) for index, text in enumerate(command) for word in text.split()]
    for (index, word), (_, following) in zip(words, [*words[1:], (0, "")], strict=True):
        path = ("script", "command", index)
        if match := _SETTING.fullmatch(word):
            yield Raw(path, match["key"].replace("-", "_"), _value(match["value"]))
        elif (match := _OPTION.fullmatch(word)) and following and following[0] != "-":
            yield Raw(path, match["key"].replace("-", "_"), _value(following))


def _value(text: str) -> Any:
    bare = text.strip("'\"")
    try:
        return resolve(bare) if bare else bare
    except BadScalar:
        return bare
