"""Values of a file together with where they stand, so that every finding can name its line.

Bases and matrix points are merged as nodes, not as plain data: a merged value keeps the mark of
the file and line that it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


Lines: TypeAlias = Callable[[str], Sequence[str]]
"""The lines of a file, by its path; none where it cannot be read."""

LONGEST = 400
"""Characters of a line that is worth showing mended."""


def no_lines(_path: str) -> Sequence[str]:
    """Return no lines, where nobody has them at hand."""
    return ()


class Marks(NamedTuple):
    """Where each value and key of a merged spec stands."""

    root: Node
    lines: Lines = no_lines
    """Of the files that the spec is made of."""

    def mended(self, path: Path, instead: str, *, on_key: bool) -> str:
        """Return the line of the key or value at `path` with `instead` in its place.

        Empty where that cannot be done by putting one word for another: nothing stands there, it
        is spelled with escapes, or the line is very long.
        """
        node = self.find(path)
        if node is None:
            return ""
        mark, old = (node.key_mark, path[-1]) if on_key else (node.mark, node.value)
        lines = self.lines(mark.path)
        line = lines[mark.line - 1] if mark.line <= len(lines) else ""
        return _replaced(line, mark.column - 1, str(old), instead)

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


def _replaced(line: str, start: int, old: str, new: str) -> str:
    """Return `line` with the whole word `old` at `start`, in quotes or not, replaced."""
    if not old or len(line) > LONGEST:
        return ""
    for written in (old, f'"{old}"', f"'{old}'"):
        end = start + len(written)
        if line[start:end] == written and line[end : end + 1] in ("", " ", ":", ",", "}", "]"):
            return line[:start] + new + line[end:]
    return ""


def dotted(path: Path) -> str:
    """Spell `path` the way findings do, such as `expect[0]` or `training.learning_rate`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
