"""The names that a package's code reads from its config, whether a config file lists them or not.

`config.get("max_resp_len")` makes `max_resp_len` a key of the trainer that no YAML names. What is
in this list is read somewhere, not necessarily there; what is not in it is read nowhere.
"""

from __future__ import annotations

import ast
import re

from runner.trainers.keys.source import Source

_CONFIG = re.compile(r"config|cfg|kwargs|^(data|trainer)$", re.IGNORECASE)


def names_read(source: Source, package: str) -> list[str]:
    """Return the names that modules of `package` look up in something called a config."""
    names: set[str] = set()
    for path, _ in source.files(package, ".py"):
        tree = source.module(path.removesuffix(".py").replace("/", "."))
        for node in ast.walk(tree) if tree else ():
            if found := _read(node):
                holder, name = found
                if name.isidentifier() and _CONFIG.search(ast.unparse(holder)):
                    names.add(name)
    return sorted(names)


def _read(node: ast.AST) -> tuple[ast.expr, str] | None:
    """Return what is looked into, and the name that is looked up."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if isinstance(node, ast.Subscript):
        return _with_text(node.value, node.slice)
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        return _with_text(node.comparators[0], node.left)
    if not isinstance(node, ast.Call):
        return None
    called, arguments = node.func, node.args
    if isinstance(called, ast.Attribute) and called.attr in ("get", "pop") and arguments:
        return _with_text(called.value, arguments[0])
    if isinstance(called, ast.Name) and called.id in ("getattr", "hasattr") and len(arguments) > 1:
        return _with_text(arguments[0], arguments[1])
    return None


def _with_text(holder: ast.expr, name: ast.expr) -> tuple[ast.expr, str] | None:
    is_text = isinstance(name, ast.Constant) and isinstance(name.value, str)
    return (holder, str(name.value)) if is_text and isinstance(name, ast.Constant) else None
