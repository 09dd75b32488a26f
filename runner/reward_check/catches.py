"""Whether a reward turns every failure into a score; its file is parsed, never executed."""

from __future__ import annotations

import ast

from runner.spec.python import parsed

_EVERYTHING = {"Exception", "BaseException"}


def catches_everything(source: bytes, function: str) -> str:
    """Return where `function` catches whatever happens and returns a value; empty for nowhere."""
    try:
        module = parsed(source)
    except (SyntaxError, ValueError):
        return ""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in module.body:
        if isinstance(node, kinds) and node.name == function:
            for handler in ast.walk(node):
                if isinstance(handler, ast.ExceptHandler) and _hides(handler):
                    return f"line {handler.lineno} catches every exception: mistakes earn a score"
    return ""


def _hides(handler: ast.ExceptHandler) -> bool:
    """Whether it catches all, and does not raise again."""
    caught = handler.type
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    if not any(
        one is None or (isinstance(one, ast.Name) and one.id in _EVERYTHING) for one in names
    ):
        return False
    return not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
