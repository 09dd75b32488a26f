"""The fields of a dataclass, with types, defaults and choices, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from runner.trainers.keys.source import NOT_LITERAL, Source

_SCALARS = {"bool": "bool", "int": "int", "float": "float", "str": "str", "None": "null"}
_LISTS = frozenset({"list", "List", "tuple", "Tuple", "set", "Sequence", "Iterable"})
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "DictConfig"})


class Section(NamedTuple):
    """A dataclass: where it is defined, and its name there."""

    module: str
    name: str


class Field(NamedTuple):
    """One field."""

    name: str
    types: tuple[str, ...]
    """Of bool, int, float, str, list, dict, null; `any` where the annotation says no more."""
    section: Section | None
    """The dataclass that its value is."""
    default: Any
    """NOT_LITERAL where there is none, or running the program would tell."""
    choices: tuple[Any, ...]
    """The values it may have; empty where any will do."""
    changed: dict[str, Any]
    """Defaults of the section's fields that this field sets otherwise."""


class Dataclasses:
    """The dataclasses of a source."""

    def __init__(self, source: Source) -> None:
        """Read from `source`."""
        self._source = source

    def fields(self, section: Section) -> dict[str, Field]:
        """Return the fields of a dataclass by name, those of its bases included.

        A base that the source does not have contributes none.
        """
        found = self._source.definition(*section)
        if not found or not isinstance(found[1], ast.ClassDef):
            return {}
        module, node = found[0], found[1]
        fields: dict[str, Field] = {}
        for base in reversed(node.bases):
            fields |= self.fields(Section(module, ast.unparse(base).rpartition(".")[2]))
        limits = dict(self._limits(module, node))
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and (field := self._field(module, statement)):
                fields[field.name] = field
        return {
            name: field._replace(choices=limits[name]) if limits.get(name) else field
            for name, field in fields.items()
        }

    def _field(self, module: str, node: ast.AnnAssign) -> Field | None:
        name = node.target.id if isinstance(node.target, ast.Name) else "_"
        if name.startswith("_") or "ClassVar" in ast.unparse(node.annotation):
            return None
        value = _Value(node.value)
        if not value.is_argument:
            return None
        types, section, choices = self._annotation(module, node.annotation)
        if value.is_switch:
            types = (*types, "bool")
        listed = self._source.literal(module, value.choices)
        choices = choices if listed is NOT_LITERAL else tuple(listed)
        default, changed = self._default(module, value, section)
        if (
            default is not NOT_LITERAL
            and default is not None
            and choices
            and default not in choices
        ):
            choices = (*choices, default)
        return Field(name, types or ("any",), section, default, choices, changed)

    def _default(
        self, module: str, value: _Value, section: Section | None
    ) -> tuple[Any, dict[str, Any]]:
        made = value.made
        if section and isinstance(made, ast.Call):
            changed = {
                keyword.arg: self._source.literal(module, keyword.value)
                for keyword in made.keywords
                if keyword.arg
            }
            return NOT_LITERAL, changed
        default = self._source.value_of_member(module, made)
        return (list(default) if isinstance(default, tuple | set) else default), {}

    def _annotation(
        self, module: str, node: ast.expr
    ) -> tuple[tuple[str, ...], Section | None, tuple[Any, ...]]:
        """Return the types, the dataclass and the choices that an annotation names."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self._annotation(module, ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.Subscript):
            return self._subscript(module, node)
        if isinstance(node, ast.BinOp):
            return _joined(
                self._annotation(module, node.left), self._annotation(module, node.right)
            )
        name = ast.unparse(node).rpartition(".")[2]
        if name in _SCALARS:
            return (_SCALARS[name],), None, ()
        if name in _LISTS or name in _MAPPINGS:
            return ("list" if name in _LISTS else "dict",), None, ()
        if members := self._source.members(module, name):
            return ("str",), None, tuple(members.values())
        found = self._source.definition(module, name)
        if found and isinstance(found[1], ast.ClassDef):
            return ("dict",), Section(found[0], found[1].name), ()
        return ("any",), None, ()

    def _subscript(
        self, module: str, node: ast.Subscript
    ) -> tuple[tuple[str, ...], Section | None, tuple[Any, ...]]:
        outer = ast.unparse(node.value).rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer == "Literal":
            values = tuple(self._source.literal(module, one) for one in inner)
            return tuple(dict.fromkeys(map(type_of, values))), None, values
        if outer == "Annotated":
            return self._annotation(module, inner[0])
        if outer in ("Optional", "Union"):
            parts = [self._annotation(module, one) for one in inner]
            extra: list[Any] = [(("null",), None, ())] if outer == "Optional" else []
            whole = parts[0]
            for part in (*parts[1:], *extra):
                whole = _joined(whole, part)
            return whole
        if outer in _LISTS or outer in _MAPPINGS:
            return ("list" if outer in _LISTS else "dict",), None, ()
        return ("any",), None, ()

    def _limits(self, module: str, node: ast.ClassDef) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the choices that a dataclass checks for when it is made, whatever else it holds."""
        for function in node.body:
            if isinstance(function, ast.FunctionDef) and function.name == "__post_init__":
                local = {
                    statement.targets[0].id: statement.value
                    for statement in function.body
                    if isinstance(statement, ast.Assign)
                    and isinstance(statement.targets[0], ast.Name)
                }
                for statement in function.body:
                    if limit := _limit(statement):
                        name, values = limit
                        values = local.get(getattr(values, "id", ""), values)
                        choices = self._source.literal(module, values)
                        if choices is not NOT_LITERAL:
                            yield name, tuple(choices)


class _Value:
    """What stands to the right of a field's annotation."""

    def __init__(self, node: ast.expr | None) -> None:
        self.made: ast.expr | None = node
        self.is_argument = True
        self.is_switch = False
        self.choices: ast.expr | None = None
        if not isinstance(node, ast.Call) or not _is_field(node):
            return
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        self.is_argument = ast.unparse(given.get("init", ast.Constant(True))) != "False"
        metadata = given.get("metadata")
        options = _items(metadata) if isinstance(metadata, ast.Dict) else {}
        # An option that means true where it stands without a value (argparse's `const`).
        self.is_switch = "const" in options and ast.unparse(options["const"]) == "True"
        self.choices = options.get("choices")
        self.made = given.get("default")
        if factory := given.get("default_factory"):
            self.made = _made(factory)


def _items(node: ast.Dict) -> dict[str, ast.expr]:
    return {
        str(key.value): value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    }


def _is_field(node: ast.Call) -> bool:
    return ast.unparse(node.func).rpartition(".")[2] in ("field", "HfArg")


def _made(factory: ast.expr) -> ast.expr:
    """Return the expression that a default factory evaluates."""
    if isinstance(factory, ast.Lambda):
        body = factory.body
        is_copy = isinstance(body, ast.Call) and ast.unparse(body.func) == "copy.deepcopy"
        return body.args[0] if is_copy and isinstance(body, ast.Call) else body
    if isinstance(factory, ast.Name) and factory.id in ("dict", "list"):
        return ast.parse("{}" if factory.id == "dict" else "[]", mode="eval").body
    return ast.Call(factory, [], [])


def _limit(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return field and choices of `if self.x not in (…): raise` or `assert self.x in (…)`."""
    test: ast.expr | None = None
    wanted: type[ast.cmpop] = ast.In
    if isinstance(statement, ast.Assert):
        test = statement.test
    elif isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Raise):
        test, wanted = statement.test, ast.NotIn
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], wanted):
        return None
    left = test.left
    is_own = isinstance(left, ast.Attribute) and ast.unparse(left.value) == "self"
    return (left.attr, test.comparators[0]) if is_own and isinstance(left, ast.Attribute) else None


def _joined(
    one: tuple[tuple[str, ...], Section | None, tuple[Any, ...]],
    other: tuple[tuple[str, ...], Section | None, tuple[Any, ...]],
) -> tuple[tuple[str, ...], Section | None, tuple[Any, ...]]:
    choices = one[2] or other[2]
    if set(one[0]) != {"null"} != set(other[0]) and not all(isinstance(x, str) for x in choices):
        choices = ()  # `Literal[False] | str`; while `Enum | str` takes the members' values as text
    return tuple(dict.fromkeys((*one[0], *other[0]))), one[1] or other[1], choices


def type_of(value: Any) -> str:
    """Return the type of a plain value, as it is called in a schema."""
    if value is None:
        return "null"
    names = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}
    return names.get(type(value), "any")
