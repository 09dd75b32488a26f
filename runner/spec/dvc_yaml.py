"""YAML that DVC writes, or a person for it, read from a tree that a stranger may have made.

`.dvc` files and dvc.lock are made by a program, dvc.yaml by hand: anchors and aliases are allowed
in them. Limits are checked on the parser's events before anything is built, since building is
recursive and follows aliases: a few lines of either could take all memory, or the process.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml
from yaml import events

from runner.errors import Refused
from runner.printable import one_line
from runner.spec.tree import Tree

MAX_LOCK_BYTES = 8 * 2**20
MAX_BYTES = 2**20
"""Of a .dvc file or a dvc.yaml."""
MAX_DEPTH = 50
MAX_NODES = 100_000
"""Values of a file, those that an alias stands for included each time."""
MAX_NUMBER = 1000
"""Characters of a number of base 60 (`1:30`), which takes quadratic time."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASE_60 = frozenset("0123456789_:.+-")
_TAGS = ("!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")))


def load(tree: Tree, path: str) -> dict[str, Any]:
    """Return the mapping in the file `path`; empty where it has none, or is not there.

    Raises Refused where it cannot be read.
    """
    return _parsed(tree.read(path) or b"", path)


@lru_cache(maxsize=4096)
def _parsed(content: bytes, path: str) -> dict[str, Any]:
    # Kept: of one tree, cards and outputs are read from the same files. Nobody changes them.
    most = MAX_LOCK_BYTES if path.endswith("dvc.lock") else MAX_BYTES
    if len(content) > most:
        raise unreadable(path, f"it has {len(content):,} bytes, more than {most:,}")
    try:
        _check(content, path)
        loaded = yaml.load(content, Loader=_Loader)  # noqa: S506 - it is a safe one
    except yaml.YAMLError as error:
        raise unreadable(path, one_line(" ".join(str(error).split()))) from None
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
        # PyYAML lets out what its constructors meet in a date or number that is none.
        raise unreadable(path, "a value is not what its tag or form says") from None
    return loaded if isinstance(loaded, dict) else {}


def unreadable(path: str, why: str) -> Refused:
    """Return the error that the file `path` cannot be read."""
    shown = one_line(path)
    return Refused(f"{shown} cannot be read: {why}", cure=f"git log -p -- {shown}   shows it")


class _Extent:
    """How much a collection holds, in its own depth and with all that its aliases stand for."""

    def __init__(self, anchor: str | None) -> None:
        self.anchor = anchor
        self.nodes = 1
        self.height = 1

    def add(self, nodes: int, height: int) -> None:
        self.nodes += nodes
        self.height = max(self.height, height + 1)


def _check(content: bytes, path: str) -> None:
    """Raise Refused where a file goes beyond the limits."""
    # libyaml yields events without recursion: their depth is the file's alone.
    loader = _Loader(content)
    measure = _Measure(path)
    try:
        while loader.check_event():
            measure.take(loader.get_event())
    finally:
        loader.dispose()


class _Measure:
    """Adds up what events amount to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: list[_Extent] = [_Extent(None)]  # the stream
        self._named: dict[str, _Extent] = {}

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.CollectionStartEvent):
            self._check_tag(event)
            self._open.append(_Extent(event.anchor))
            self._named.pop(event.anchor or "", None)  # it stands for nothing before its end
        elif isinstance(event, events.CollectionEndEvent):
            self._add(self._open.pop())
        elif isinstance(event, events.ScalarEvent):
            self._check_tag(event)
            self._check_number(event)
            self._add(_Extent(event.anchor))
        elif isinstance(event, events.AliasEvent):
            meant = self._named.get(event.anchor or "")
            if meant is None:
                raise unreadable(self._path, "an alias stands for nothing, or for what holds it")
            self._open[-1].add(meant.nodes, meant.height)
        self._check_limits()

    def _add(self, extent: _Extent) -> None:
        self._open[-1].add(extent.nodes, extent.height)
        if extent.anchor:
            self._named[extent.anchor] = extent

    def _check_limits(self) -> None:
        if len(self._open) + self._open[-1].height > MAX_DEPTH + 2:
            raise unreadable(self._path, f"its values are nested deeper than {MAX_DEPTH} levels")
        if self._open[-1].nodes > MAX_NODES:
            raise unreadable(self._path, f"it has more than {MAX_NODES:,} values, aliases included")

    def _check_tag(self, event: events.CollectionStartEvent | events.ScalarEvent) -> None:
        if event.tag is not None and event.tag not in _TAGS:
            raise unreadable(self._path, f"it has the tag `{one_line(event.tag)}`")

    def _check_number(self, event: events.ScalarEvent) -> None:
        if len(event.value) > MAX_NUMBER and _BASE_60.issuperset(event.value):
            raise unreadable(self._path, f"a number has more than {MAX_NUMBER:,} digits")
