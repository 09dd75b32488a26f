"""Strict YAML: one document, one mapping, one meaning per scalar, a mark for every value.

Reads YAML 1.2's core schema (see `scalars.py`) from the parser's events, with limits that are
checked while reading, so that a hostile file costs no more than an honest one. What a reviewer
could misread is refused: equal keys, anchors, aliases, merge keys, tags, directives, invisible
characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml import events

from runner.errors import InvalidSpec
from runner.findings import Finding, Mark, at
from runner.spec import syntax
from runner.spec.characters import MAX_FINDINGS, decode, unseen
from runner.spec.node import Marks, Node, Path, Scalar, data, dotted
from runner.spec.scalars import BadScalar, resolve, shown

MAX_DEPTH = 20
MAX_NODES = 10_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document(NamedTuple):
    """One file that was read: its mapping with the mark of every value."""

    root: Node

    @property
    def data(self) -> dict[str, Any]:
        """The mapping as plain Python values."""
        plain: dict[str, Any] = data(self.root)
        return plain

    @property
    def marks(self) -> Marks:
        """Where each value and key stands."""
        return Marks(self.root)


def parse(text: bytes, path: str) -> Document:
    """Read the file `path` with the contents `text`.

    Raises InvalidSpec with every finding that can be given.
    """
    characters = decode(text, path)
    builder = _Builder(path)
    try:
        for event in _events(characters):
            builder.take(event)
    except yaml.YAMLError as error:
        builder.findings.append(syntax.finding(error, characters, path))
    except _Stop:
        pass
    return builder.document()


def _events(text: str) -> Iterator[events.Event]:
    loader = _Loader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


class _Stop(Exception):
    """Nothing after this finding can be read with a meaning."""


class _Open:
    """A mapping or list that is being read."""

    def __init__(self, mark: Mark, key_mark: Mark, path: Path, items: Any) -> None:
        self.mark = mark
        self.key_mark = key_mark
        self.path = path
        self.items: dict[str, Node] | list[Node] = items
        self.key: str | None = None
        self.mark_of_key = mark


class _Builder:
    """Builds nodes from events, and collects what is wrong on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.nodes = 0
        self.documents = 0

    def document(self) -> Document:
        if self.findings:
            raise InvalidSpec(tuple(self.findings))
        start = Mark(self.path, 1, 1)
        if self.root is None or (self.root.value is None and self.root.plain):
            message, cure = "the file is empty", "write a spec; docs/spec.md lists its fields"
            raise InvalidSpec((at(start, "", "spec.syntax", message, cure),))
        if not isinstance(self.root.value, dict):
            message = "the file is no mapping of keys to values"
            cure = "write `key: value` lines"
            raise InvalidSpec((at(self.root.mark, "", "spec.type", message, cure),))
        return Document(self.root)

    def take(self, event: events.Event) -> None:
        if isinstance(event, events.NodeEvent):
            self._take_node(event)
        elif isinstance(event, events.CollectionEndEvent):
            closed = self.open.pop()
            self._place(Node(closed.items, closed.mark, closed.key_mark))
        elif isinstance(event, events.DocumentStartEvent):
            self._start_document(event)

    def _start_document(self, event: events.DocumentStartEvent) -> None:
        self.documents += 1
        mark = self._mark(event)
        if event.version or event.tags:
            self._refuse(mark, "directives (`%…`) are not allowed", "take the line out")
        if self.documents > 1:
            message = "a second document begins here; a file holds one"
            self._refuse(mark, message, "put it in a file of its own, or take out the `---`")
            raise _Stop

    def _take_node(self, event: events.NodeEvent) -> None:
        mark = self._mark(event)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            message = f"the file has more than {MAX_NODES:,} values"
            self._refuse(mark, message, "split it, with `extends`", "spec.limit")
            raise _Stop
        self._check_indirections(event, mark)
        if isinstance(event, events.ScalarEvent):
            self._take_scalar(event, mark)
        elif isinstance(event, events.AliasEvent):
            self._take_scalar_value("", mark, plain=False)
        else:
            self._open_collection(event, mark)

    def _check_indirections(self, event: events.NodeEvent, mark: Mark) -> None:
        if isinstance(event, events.AliasEvent):
            message = f"aliases ({shown('*' + str(event.anchor))}) are not allowed"
            self._refuse(mark, message, "use `extends` to share values")
        elif event.anchor is not None:
            message = f"anchors ({shown('&' + event.anchor)}) are not allowed"
            self._refuse(mark, message, "use `extends` to share values")
        tag = getattr(event, "tag", None)
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!")
            message = f"tags ({shown(written)}) are not allowed"
            self._refuse(mark, message, "write the value without the tag")

    def _open_collection(self, event: events.NodeEvent, mark: Mark) -> None:
        parent = self.open[-1] if self.open else None
        if len(self.open) == MAX_DEPTH:
            message = f"values are nested deeper than {MAX_DEPTH} levels"
            self._refuse(mark, message, "flatten them", "spec.limit")
            raise _Stop
        if parent and isinstance(parent.items, dict) and parent.key is None:
            message = "a key is a list or mapping; only text can be a key"
            self._refuse(mark, message, "put the key in quotes")
            raise _Stop
        items: Any = {} if isinstance(event, events.MappingStartEvent) else []
        key_mark = parent.mark_of_key if parent and parent.key is not None else mark
        self.open.append(_Open(mark, key_mark, self._path(), items))

    def _take_scalar(self, event: events.ScalarEvent, mark: Mark) -> None:
        plain = event.implicit[0] and not event.style
        value: Scalar = event.value
        if plain:
            try:
                value = resolve(event.value)
            except BadScalar as bad:
                self._refuse(mark, bad.message, bad.cure, bad.rule)
        elif event.style == '"' and (match := next(unseen(event.value), None)):
            message = f"the text holds an invisible character, U+{ord(match[0]):04X}"
            self._refuse(mark, message, "take its escape out")
        self._take_scalar_value(value, mark, plain, event.value)

    def _take_scalar_value(self, value: Scalar, mark: Mark, plain: bool, written: str = "") -> None:
        parent = self.open[-1] if self.open else None
        if parent and isinstance(parent.items, dict) and parent.key is None:
            self._take_key(parent, value, mark, plain, written)
            return
        key_mark = parent.mark_of_key if parent and parent.key is not None else mark
        self._place(Node(value, mark, key_mark, plain))

    def _take_key(
        self, parent: _Open, value: Scalar, mark: Mark, plain: bool, written: str
    ) -> None:
        key = value if isinstance(value, str) else written
        parent.key, parent.mark_of_key = key, mark
        if key == "<<" and plain:
            self._refuse(mark, "merge keys (`<<`) are not allowed", "use `extends` instead")
        elif not isinstance(value, str):
            message = f"the key {shown(written)} is not text"
            self._refuse(mark, message, "put it in quotes")
        elif key in parent.items and isinstance(parent.items, dict):
            first = parent.items[key].key_mark.line
            message = f"the key {shown(key)} stands twice; first on line {first}"
            self._refuse(mark, message, "delete one of the two", "spec.duplicate_key")

    def _place(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent.items, list):
            parent.items.append(node)
        elif parent.key is not None:
            parent.items.setdefault(parent.key, node)
            parent.key = None

    def _path(self) -> Path:
        if not self.open:
            return ()
        parent = self.open[-1]
        if isinstance(parent.items, list):
            return (*parent.path, len(parent.items))
        return parent.path if parent.key is None else (*parent.path, parent.key)

    def _mark(self, event: events.Event) -> Mark:
        start: Any = event.start_mark
        return Mark(self.path, start.line + 1, start.column + 1)

    def _refuse(self, mark: Mark, message: str, cure: str, rule: str = "spec.syntax") -> None:
        self.findings.append(at(mark, dotted(self._path()), rule, message, cure))
        if len(self.findings) >= MAX_FINDINGS:
            raise _Stop
