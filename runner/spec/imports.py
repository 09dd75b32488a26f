"""Which modules of the repository a Python file imports, found without executing anything.

Imports are read from the syntax tree, at any depth of the file. An import made by a call
(`importlib.import_module(name)`) cannot be seen: code that bears on a result is to be imported by
a statement.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from runner.spec import python
from runner.spec.tree import Tree

MAX_PARTS = 50
"""Of a module's name; longer ones are passed over, no file being as deep."""
MAX_NAME = 4000
"""Characters of a module's name: no path is as long."""


def closure(tree: Tree, path: str) -> tuple[str, ...]:
    """Return `path` and every file of `tree` that it imports, directly or not, in order of name.

    A file that is missing or does not parse has no imports; rules report it.
    """
    seen: set[str] = set()
    queue = [path]
    while queue:
        current = queue.pop()
        source = tree.read(current)
        if current in seen or source is None:
            continue
        seen.add(current)
        queue.extend(_imports(tree, current, source))
    return tuple(sorted(seen))


def _imports(tree: Tree, path: str, source: bytes) -> Iterator[str]:
    """Yield the files that importing what `source` imports runs: modules, packages above them."""
    modules: set[str] = set()
    for node in ast.walk(_parsed(source)):
        for name in _module_names(node, path):
            if len(name) > MAX_NAME or name.count(".") >= MAX_PARTS:
                continue
            while name and name not in modules:
                modules.add(name)
                name = name.rpartition(".")[0]
    for name in modules:
        place = name.replace(".", "/")
        for candidate in (f"{place}/__init__.py", f"{place}.py"):
            if tree.read(candidate) is not None:
                yield candidate


def _parsed(source: bytes) -> ast.AST:
    """Return the syntax tree; an empty one for what is no Python."""
    try:
        return python.parsed(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _module_names(node: ast.AST, path: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = _package(node, path)
        if package is not None and len(package) <= MAX_NAME:
            names = (package, *(f"{package}.{alias.name}" for alias in node.names))
            # At the root, `from . import x` has no package above it.
            yield from (name.lstrip(".") for name in names if name)


def _package(node: ast.ImportFrom, path: str) -> str | None:
    """Return the absolute name that a `from … import` starts from; None when it leaves the tree."""
    if node.level == 0:
        return node.module
    parents = path.split("/")[:-1]
    if node.level - 1 > len(parents):
        return None
    base = parents[: len(parents) - (node.level - 1)]
    return ".".join([*base, *(node.module.split(".") if node.module else [])])
