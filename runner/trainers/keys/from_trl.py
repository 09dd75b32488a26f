"""TRL's keys: the dataclasses that its scripts make command-line options of."""

from __future__ import annotations

import ast
from typing import Any

from runner.trainers.keys.fields import Dataclasses, Section
from runner.trainers.keys.source import Source
from runner.trainers.keys.tree import Records, record

NEEDS = ("transformers",)
"""Where the base of TRL's configs is from: TrainingArguments."""
SCRIPTS = ("sft", "dpo", "grpo", "rloo")


def entry_points(source: Source) -> dict[str, Any]:
    """Return the keys of each script."""
    return {f"trl.scripts.{name}": {"keys": _keys(source, name)} for name in SCRIPTS}


def _keys(source: Source, script: str) -> Records:
    module = f"trl.scripts.{script}"
    records: Records = {}
    for name in _classes(source, module):
        # A script imports its configs from the package, which loads them lazily by name.
        place = _place(source, module, name)
        for field in Dataclasses(source).fields(place).values():
            records[field.name] = record(field, field.default)
    return records


def _classes(source: Source, module: str) -> list[str]:
    """Return the names in `dataclass_types = (…)` of the script's `make_parser`."""
    for node in ast.walk(source.module(module) or ast.Module([], [])):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "dataclass_types":
            return [ast.unparse(one) for one in getattr(node.value, "elts", ())]
    return []


def _place(source: Source, module: str, name: str) -> Section:
    if source.definition(module, name):
        return Section(module, name)
    for path, _ in source.files("trl", ".py"):
        other = path.removesuffix(".py").replace("/", ".")
        tree = source.module(other)
        if tree and any(isinstance(one, ast.ClassDef) and one.name == name for one in tree.body):
            return Section(other, name)
    return Section(module, name)
