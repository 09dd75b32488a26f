"""A package's source as it lies in its wheel: modules, names and registries, nothing imported.

Trainers need torch and an accelerator's libraries to be imported; what keys they have is written in
their source, and read here with `ast`.
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_LITERAL = object()
"""What a value is that only running the program would tell."""


class Source:
    """The modules of one or several wheels."""

    def __init__(self, *wheels: Path) -> None:
        """Read from `wheels`; a module is looked for in the first that has it."""
        self._archives = [zipfile.ZipFile(wheel) for wheel in wheels]
        self._places = {
            name: archive for archive in reversed(self._archives) for name in archive.namelist()
        }
        self._modules: dict[str, ast.Module | None] = {}
        self._definitions: dict[tuple[str, str], tuple[str, ast.AST] | None] = {}

    def files(self, folder: str, suffix: str) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of the files below `folder` whose name ends with `suffix`."""
        for name in sorted(self._places):
            if name.startswith(f"{folder}/") and name.endswith(suffix):
                yield name, self._places[name].read(name)

    def module(self, name: str) -> ast.Module | None:
        """Return the syntax tree of the module `a.b`; None where the wheels have none."""
        if name not in self._modules:
            path = self._path(name)
            text = self._places[path].read(path) if path else None
            self._modules[name] = ast.parse(text) if text is not None else None
        return self._modules[name]

    def definition(self, module: str, name: str) -> tuple[str, ast.AST] | None:
        """Return where `name` of `module` is defined, and its class or assigned value.

        Follows `from … import`, also with `*` and relative, as far as the wheels reach.
        """
        if (module, name) not in self._definitions:
            self._definitions[module, name] = self._definition(module, name, frozenset())
        return self._definitions[module, name]

    def _definition(
        self, module: str, name: str, seen: frozenset[tuple[str, str]]
    ) -> tuple[str, ast.AST] | None:
        tree = self.module(module)
        if tree is None or (module, name) in seen:
            return None
        seen = seen | {(module, name)}
        for node in _statements(tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                return module, node
            if (value := _assigned(node, name)) is not None:
                return module, value
            if isinstance(node, ast.ImportFrom):
                origin = self._origin(module, node)
                for alias in node.names:
                    if alias.name == "*" or name == (alias.asname or alias.name):
                        wanted = name if alias.name == "*" else alias.name
                        if found := self._definition(origin, wanted, seen):
                            return found
        return None

    def literal(self, module: str, node: ast.AST | None) -> Any:
        """Return the value of an expression of `module`: literals and names of such."""
        if node is None:
            return NOT_LITERAL
        try:
            value = ast.literal_eval(node)
            return sorted(value, key=str) if isinstance(value, set) else value
        except (ValueError, TypeError, SyntaxError):
            pass
        if isinstance(node, ast.Name) and (found := self.definition(module, node.id)):
            return NOT_LITERAL if isinstance(found[1], ast.ClassDef) else self.literal(*found)
        if isinstance(node, ast.Call) and len(node.args) == 1:
            called = ast.unparse(node.func)
            if called in ("copy.deepcopy", "os.path.expanduser"):
                return self.literal(module, node.args[0])
        return NOT_LITERAL

    def registered(self, folder: str, decorator: str) -> list[str]:
        """Return the names that modules below `folder` register with `@decorator("name")`."""
        names: dict[str, None] = {}
        for path, _ in self.files(folder, ".py"):
            module = path.removesuffix(".py").replace("/", ".")
            for node in ast.walk(self.module(module) or ast.Module([], [])):
                for call in getattr(node, "decorator_list", ()):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == decorator:
                        argument = next(iter(call.args), None)
                        name = self.value_of_member(module, argument)
                        if isinstance(name, str):
                            names[name] = None
        return list(names)

    def value_of_member(self, module: str, node: ast.AST | None) -> Any:
        """Return a literal, or the value of an enumeration's member such as `Estimator.GAE`."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return self.members(module, node.value.id).get(node.attr, NOT_LITERAL)
        return self.literal(module, node)

    def members(self, module: str, name: str) -> dict[str, Any]:
        """Return the members of the enumeration `name`; empty where it is none."""
        found = self.definition(module, name)
        if not found or not isinstance(found[1], ast.ClassDef):
            return {}
        bases = {ast.unparse(base).rpartition(".")[2] for base in found[1].bases}
        if not any(base.endswith("Enum") for base in bases):
            return {}
        members = {}
        for node in found[1].body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                value = self.literal(found[0], node.value)
                if value is not NOT_LITERAL:
                    members[node.targets[0].id] = value
        return members

    def _path(self, module: str) -> str | None:
        stem = module.replace(".", "/")
        return next((path for path in (f"{stem}.py", f"{stem}/__init__.py")
                     if path in self._places), None)  # fmt: skip

    def _origin(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        path = self._path(module) or ""
        package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        return f"{package}.{node.module}" if node.module else package


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those below `if` and `try` too."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if isinstance(node, ast.If | ast.Try):
            waiting[:0] = [*node.body, *getattr(node, "orelse", ())]


def _assigned(node: ast.stmt, name: str) -> ast.AST | None:
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        return node.value if isinstance(target, ast.Name) and target.id == name else None
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.value if node.target.id == name else None
    return None
