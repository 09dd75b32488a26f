"""A trainer's whole config for a run, with where each value comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.spec.experiment import Run
from runner.spec.node import Marks, Path, dotted
from runner.trainers.base import Command, Layout, Setting, Trainer
from runner.trainers.keys.behind import fields_behind
from runner.trainers.keys.entry import checker

_INTERPOLATION = re.compile(r"\$\{(oc\.select:)?([^${},]+)(?:,([^${}]*))?\}")
_DEPTH = 8
"""Interpolations that lead to others; more than any config has."""


class Value(NamedTuple):
    """A key's value and where it comes from, in words."""

    value: Any
    origin: str


def resolved_config(
    trainer: Trainer, run: Run, layout: Layout, command: Command, marks: Marks
) -> str:
    """Return the config as lines `key = value   # origin`: what is written, then defaults."""
    check = checker(run.spec)
    values = dict(_written(trainer, run, layout, command, marks))
    written = frozenset(values)
    if check:
        defaults = {
            key: Value(value, f"default of {check.trainer}")
            for key, value in check.defaults().items()
            if not any(key == one or key.startswith(f"{one}.") for one in values)
        }
        values |= defaults
    values = {key: _filled_in(key, value, values) for key, value in values.items()}
    parts = (
        _aligned({key: value for key, value in values.items() if (key in written) == stated})
        for stated in (True, False)
    )
    return "\n\n".join(part for part in parts if part) or "# the script's own affair"


def _written(
    trainer: Trainer, run: Run, layout: Layout, command: Command, marks: Marks
) -> Iterator[tuple[str, Value]]:
    """Yield what the command line says, by bare key."""
    behind = fields_behind(trainer, run, layout) if command.settings else {}
    for key, setting in command.settings.items():
        if setting.origin == "overrides":
            origin = f"override, {_place(marks, _override(run.spec.overrides, key))}"
        else:
            origin = _origin(setting, behind.get(key, ()), marks)
        yield key.lstrip("+"), Value(setting.value, origin)


def _origin(setting: Setting, fields: tuple[Path, ...], marks: Marks) -> str:
    """Return the lines that state a value, else the fields whose defaults it comes from."""
    section = tuple(setting.origin.removeprefix("spec: ").split("."))
    if not fields and setting.origin.startswith("spec: ") and marks.find(section):
        return _place(marks, section)
    if not fields:
        return setting.origin
    stated = [field for field in fields if marks.find(field) is not None]
    if stated:
        return ", ".join(dict.fromkeys(_place(marks, field) for field in stated))
    return f"default of {' and '.join(dotted(field) for field in fields[:2])}"


def _place(marks: Marks, path: Path) -> str:
    mark = marks.value(path)
    return f"{mark.path}:{mark.line}"


def _override(tree: Mapping[str, Any], key: str, path: Path = ("overrides",)) -> Path:
    """Return the path in the spec of an override by its dotted key."""
    for name, value in tree.items():
        if name == key:
            return (*path, name)
        if isinstance(value, dict) and key.startswith(f"{name}."):
            return _override(value, key[len(name) + 1 :], (*path, name))
    return path


def _filled_in(key: str, value: Value, values: Mapping[str, Value]) -> Value:
    """Return a value with the interpolations of its default filled in."""
    text, origin = value.value, value.origin
    for _ in range(_DEPTH):
        match = _INTERPOLATION.search(text) if isinstance(text, str) else None
        if not match:
            break
        name = _absolute(key, match[2].strip())
        if name in values:
            found = values[name].value
        elif match[1]:
            found = _plain(match[3])
        else:
            break
        origin = f"{value.origin}: {name}"
        text = found if match[0] == text else text.replace(match[0], str(found), 1)
    return Value(text, origin)


def _absolute(key: str, name: str) -> str:
    """Return a key that an interpolation names from where it stands, such as `.lr`."""
    if not name.startswith("."):
        return name
    levels = len(name) - len(name.lstrip("."))
    return ".".join([*key.split(".")[:-levels], name.lstrip(".")])


def _plain(text: str | None) -> Any:
    words = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}
    text = (text or "null").strip()
    if text in words:
        return words[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _aligned(values: Mapping[str, Value]) -> str:
    shown = {key: (json.dumps(one.value, ensure_ascii=False), one.origin)
             for key, one in values.items()}  # fmt: skip
    width = min(72, max((len(key) for key in shown), default=0))
    room = min(32, max((len(text) for text, _ in shown.values()), default=0))
    return "\n".join(
        f"{key:<{width}} = {text:<{room}}  # {origin}"
        for key, (text, origin) in sorted(shown.items())
    )
