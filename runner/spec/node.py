"""Values of a file together with where they stand, so that every finding can name its line.

Bases and matrix points are merged as nodes, not as plain data: a merged value keeps the mark of
the file and line that it came from.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from runner.findings import Mark

Scalar: TypeAlias = str | int | float | bool | None
Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""


class Node(NamedTuple):
    """One value, the mark where it starts, and the mark of its key (its own, without a key)."""

    value: Scalar | dict[str, Node] | list[Node]
    mark: Mark
    key_mark: Mark
    plain: bool = False
    """Whether it was written without quotes."""


def data(node: Node) -> Any:
    """Return the plain Python value of `node`."""
    value = node.value
    if isinstance(value, dict):
        return {key: data(child) for key, child in value.items()}
    if isinstance(value, list):
        return [data(child) for child in value]
    return value


def child(node: Node, part: str | int) -> Node | None:
    """Return the node below `node` at one key or position; None where there is none."""
    below: Node | None = None
    if isinstance(node.value, dict) and isinstance(part, str):
        below = node.value.get(part)
    elif isinstance(node.value, list) and isinstance(part, int) and 0 <= part < len(node.value):
        below = node.value[part]
    return below


class Marks(NamedTuple):
    """Where each value and key of a merged spec stands."""

    root: Node

    def find(self, path: Path) -> Node | None:
        """Return the node at exactly `path`, or None."""
        node: Node | None = self.root
        for part in path:
            node = child(node, part) if node else None
        return node

    def value(self, path: Path) -> Mark:
        """Return the mark of the value at `path`, else its nearest parent's key."""
        return self._nearest(path)[0]

    def key(self, path: Path) -> Mark:
        """Return the mark of the key at `path`, else its nearest parent's key."""
        return self._nearest(path)[1]

    def _nearest(self, path: Path) -> tuple[Mark, Mark]:
        node = self.root
        for part in path:
            below = child(node, part)
            if below is None:
                return node.key_mark, node.key_mark
            node = below
        return node.mark, node.key_mark


def dotted(path: Path) -> str:
    """Spell `path` the way findings do, such as `expect[0]` or `training.learning_rate`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
