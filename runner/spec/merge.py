"""Lay one spec over another: a file over its base, a point of a matrix over its file.

Mappings merge key by key; everything else (lists too) is replaced; `null` replaces as well, which
brings a default back. What pins or belongs to a value does not outlive it:

- another `algorithm.name` replaces the whole section: keys of one algorithm say nothing about
  another, even where they are spelled alike;
- another `model.path` or `model.source` drops `model.revision`;
- another `trainer` drops `image`; another trainer by name also drops `overrides` and `script`.
"""

from __future__ import annotations

from runner.spec.node import Node, child


def merge(base: Node, over: Node) -> Node:
    """Return the spec `over` laid over the spec `base`."""
    return _merge(_without_what_depends(base, over), over)


def _merge(base: Node, over: Node) -> Node:
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, value in over.value.items():
        former = merged.get(key)
        merged[key] = _merge(former, value) if former else value
    return over._replace(value=merged)


def _without_what_depends(base: Node, over: Node) -> Node:
    dropped: list[tuple[str, ...]] = []
    if _changes(base, over, ("algorithm", "name")):
        dropped.append(("algorithm",))
    if _changes(base, over, ("model", "path")) or _changes(base, over, ("model", "source")):
        dropped.append(("model", "revision"))
    if _changes(base, over, ("trainer",)):
        dropped.append(("image",))
        if _trainer(base) != _trainer(over):
            dropped += [("overrides",), ("script",)]
    for path in dropped:
        base = _without(base, path)
    return base


def _at(node: Node, path: tuple[str, ...]) -> Node | None:
    found: Node | None = node
    for part in path:
        found = child(found, part) if found else None
    return found


def _changes(base: Node, over: Node, path: tuple[str, ...]) -> bool:
    new = _at(over, path)
    former = _at(base, path)
    return new is not None and former is not None and new.value != former.value


def _trainer(spec: Node) -> str:
    trainer = _at(spec, ("trainer",))
    return str(trainer.value).partition("==")[0] if trainer else ""


def _without(node: Node, path: tuple[str, ...]) -> Node:
    if not isinstance(node.value, dict) or path[0] not in node.value:
        return node
    kept = dict(node.value)
    if len(path) == 1:
        del kept[path[0]]
    else:
        kept[path[0]] = _without(kept[path[0]], path[1:])
    return node._replace(value=kept)
