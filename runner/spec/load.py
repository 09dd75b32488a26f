"""Files below `experiments/` with their bases merged in.

`extends` names one file or several, relative to `experiments/` and without `.yaml`; they are laid
over each other in that order, the file itself last (see `merge.py` for how). Files below
`experiments/bases/` are abstract: no experiments, and without a matrix. An experiment may extend
another one unless that has a matrix.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property, reduce
from typing import NamedTuple

from runner.errors import InvalidSpec, Refused
from runner.findings import Finding, Mark, at
from runner.spec.experiment import NAME
from runner.spec.fields import nearest
from runner.spec.merge import merge
from runner.spec.node import Node
from runner.spec.scalars import shown
from runner.spec.tree import Tree
from runner.spec.yaml import Document, parse

FOLDER = "experiments"
BASES = "bases/"
TAKEN = "plan"
"""No name of an experiment: its status beside a commit would be that of a request's plan."""
MAX_LETTERS = 200
"""Of a name."""
MAX_DEPTH = 10
MAX_BASES = 10


class Merged(NamedTuple):
    """One file with its bases: the spec, its matrix, and the paths of the bases."""

    root: Node
    matrix: Node | None
    own: Document
    bases: tuple[str, ...]
    depth: int


def path_of(name: str) -> str:
    """Return the file of the experiment or base `name`."""
    return f"{FOLDER}/{name}.yaml"


def name_of(path: str) -> str | None:
    """Return the experiment whose file is at `path`; None for any other path."""
    name = _bare(path)
    return name if path == path_of(name) and can_name(name) and not is_base(name) else None


def experiment_names(tree: Tree) -> list[str]:
    """Return the names of all experiments of `tree`, sorted by path."""
    return [name for path in tree.paths(FOLDER, ".yaml") if (name := name_of(path))]


def can_name(name: str) -> bool:
    """Whether a spec may have this name."""
    return bool(NAME.fullmatch(name)) and len(name) <= MAX_LETTERS and name != TAKEN


def is_base(name: str) -> bool:
    """Whether `name` is abstract: a file only for `extends`."""
    return name.startswith(BASES)


class Specs:
    """The spec files of a tree, each read once."""

    def __init__(self, tree: Tree) -> None:
        """Look at `tree`; nothing is listed or read yet."""
        self._tree = tree
        self._documents: dict[str, Document | InvalidSpec] = {}
        self._merged: dict[str, Merged] = {}
        self._lines: dict[str, list[str]] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all files, bases among them."""
        names = (_bare(path) for path in self._tree.paths(FOLDER, ".yaml"))
        return tuple(name for name in names if can_name(name))

    @cached_property
    def findings(self) -> dict[str, Finding]:
        """By path, what is wrong with the names of files."""
        paths = self._tree.paths(FOLDER, ".yaml")
        found = {path: finding for path in paths if (finding := _misnamed(path))}
        for path in self._tree.paths(FOLDER, ".yml"):
            cure = f"git mv {path} {path.removesuffix('.yml')}.yaml"
            found[path] = _whole(path, "spec.name", "spec files end with .yaml", cure)
        return found

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, which may have it; a link counts too."""
        with suppress(Refused):
            if can_name(name) and self._tree.read(path_of(name)) is not None:
                return True
        return name in self.names

    def document(self, name: str) -> Document:
        """Return the file of `name` as written; raises InvalidSpec."""
        if name not in self._documents:
            try:
                self._documents[name] = self._read(path_of(name))
            except InvalidSpec as invalid:
                self._documents[name] = invalid
        document = self._documents[name]
        if isinstance(document, InvalidSpec):
            raise InvalidSpec(document.findings)
        return document

    def lines(self, path: str) -> list[str]:
        """Return the lines of the spec file at `path`, which was read before."""
        if path not in self._lines:
            text = (self._tree.read(path) or b"").decode("utf-8", "replace")
            self._lines[path] = text.replace("\r\n", "\n").split("\n")
        return self._lines[path]

    def merged(self, name: str, chain: tuple[str, ...] = ()) -> Merged:
        """Return the spec of `name` with its bases merged in.

        `chain` is the way of `extends` that led here. Raises InvalidSpec, with findings in the
        file that is at fault.
        """
        if name not in self._merged:
            self._merged[name] = self._merge(name, (*chain, name))
        return self._merged[name]

    def _merge(self, name: str, chain: tuple[str, ...]) -> Merged:
        own = self.document(name)
        top = own.root.value
        assert isinstance(top, dict)  # noqa: S101 - parse returns mappings alone
        matrix = top.get("matrix")
        if matrix and is_base(name):
            raise _invalid(matrix.key_mark, "matrix", "spec.matrix", "a base cannot have a matrix",
                           "move it to the experiments that extend this file")  # fmt: skip
        bases = [
            self._base(entry, str(entry.value), chain) for entry in _entries(top.get("extends"))
        ]
        depth = 1 + max((base.depth for base in bases), default=0)
        if depth > MAX_DEPTH:
            raise _too_deep(top["extends"], chain)
        rest = {key: value for key, value in top.items() if key not in ("extends", "matrix")}
        root = own.root._replace(value=rest)
        full = reduce(merge, [*(base.root for base in bases), root])
        paths = (path for base in bases for path in (*base.bases, base.own.root.mark.path))
        return Merged(full, matrix, own, tuple(dict.fromkeys(paths)), depth)

    def _base(self, entry: Node, name: str, chain: tuple[str, ...]) -> Merged:
        if name in chain:
            way = " -> ".join((*chain, name))
            raise _extends(entry, f"`extends` goes in a circle: {way}", "take one link out")
        if not self.has(name):
            raise _extends(entry, f"{shown(name)} is no spec below {FOLDER}/", self._meant(name))
        if len(chain) > MAX_DEPTH:
            raise _too_deep(entry, chain)
        base = self.merged(name, chain)
        if base.matrix:
            message = f"`{name}` has a matrix and so cannot be extended"
            raise _extends(entry, message, "move what is shared to a file in experiments/bases/")
        return base

    def _meant(self, name: str) -> str:
        tidy = name.removeprefix(f"{FOLDER}/").removesuffix(".yaml").removesuffix(".yml")
        if self.has(tidy):
            return f"write {tidy}"
        near = nearest(tidy, self.names) or nearest(f"{BASES}{tidy}", self.names)
        return f"did you mean `{near}`?" if near else f"name a file below {FOLDER}/, without .yaml"

    def _read(self, path: str) -> Document:
        try:
            text = self._tree.read(path)
        except Refused as refused:
            cure = refused.cure or "write another path"
            raise InvalidSpec((_whole(path, "spec.name", refused.message, cure),)) from None
        if text is None:
            message = f"{path} is no file"
            raise InvalidSpec((_whole(path, "spec.name", message, "write it there"),))
        return parse(text, path)


def _bare(path: str) -> str:
    return path.removeprefix(f"{FOLDER}/").removesuffix(".yaml")


def _misnamed(path: str) -> Finding | None:
    """Return what is wrong with the name of the file at `path`."""
    name = _bare(path)
    if name == TAKEN:
        message = f"`{TAKEN}` is the status of a pull request's plan, and no experiment's"
        cure = f"git mv {path} {FOLDER}/<another name>.yaml"
        return _whole(path, "spec.name", message, cure)
    if can_name(name):
        return None
    message = f"{shown(name)} cannot name an experiment"
    letters = f"up to {MAX_LETTERS}"
    cure = f"name it in small letters, digits, `.`, `_`, `-` (folders with `/`), {letters}"
    return _whole(path, "spec.name", message, cure)


def _entries(extends: Node | None) -> list[Node]:
    if extends is None:
        return []
    entries = extends.value if isinstance(extends.value, list) else [extends]
    if not entries or len(entries) > MAX_BASES:
        message = f"`extends` names {len(entries)} files; it takes 1 to {MAX_BASES}"
        raise _extends(extends, message, "name the base, or delete the line")
    for entry in entries:
        if not isinstance(entry.value, str) or not entry.value:
            message = "`extends` takes the name of a file, or a list of names"
            raise _extends(entry, message, "name the base, like bases/gsm8k-grpo, or delete it")
    return entries


def _too_deep(entry: Node, chain: tuple[str, ...]) -> InvalidSpec:
    message = f"`extends` is deeper than {MAX_DEPTH} files: {' -> '.join(chain)}"
    return _invalid(entry.mark, "extends", "spec.limit", message, "flatten the bases")


def _extends(entry: Node, message: str, cure: str) -> InvalidSpec:
    return _invalid(entry.mark, "extends", "spec.extends", message, cure)


def _invalid(mark: Mark, key: str, rule: str, message: str, cure: str) -> InvalidSpec:
    return InvalidSpec((at(mark, key, rule, message, cure),))


def _whole(path: str, rule: str, message: str, cure: str) -> Finding:
    return at(Mark(path, 1, 1), "", rule, message, cure)
