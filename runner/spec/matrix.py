"""`matrix`: several points from one file, with the meaning that GitHub Actions gave it.

    matrix:
      grid:                                   # every combination, in the order written
        training.learning_rate: [1.0e-6, 5.0e-7]
        algorithm.group_size: [4, 8]
      exclude:                                # combinations that have all of these values
        - {training.learning_rate: 5.0e-7, algorithm.group_size: 4}
      include:                                # see below
        - {algorithm.group_size: 16, training.learning_rate: 1.0e-6}

1. `grid` gives its combinations; the last key varies fastest.
2. `exclude` takes out each combination that has all the values of an entry.
3. Each entry of `include` is added to every combination of the grid whose own values it does not
   contradict; an entry that fits none (or a matrix without a grid) is a point of its own.
   Values that entries added do not count as the grid's: a later entry replaces them.

Unlike there, an entry of `exclude` that takes nothing out is refused, and so are two equal points.
A point is laid over the spec like a file over its base (see `merge.py`), so another
`algorithm.name` replaces the algorithm's whole section. Values are compared as JSON: 1 equals 1.0.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, ValidationError

from runner.errors import InvalidSpec
from runner.findings import Finding, at
from runner.spec.experiment import Experiment
from runner.spec.explain import explain
from runner.spec.fields import dotted_keys, nearest, path_of
from runner.spec.node import Marks, Node, data
from runner.spec.scalars import shown
from runner.spec.section import FROM_FILE, Section

MAX_COMBINATIONS = 10_000
"""Combinations of the grid before `exclude`; what is left is limited in `expand.py`."""

WHOLE = frozenset({
    "apiVersion", "seeds", "description", "hypothesis", "owner", "tags", "launch", "when_edited",
    "follow_inputs", "expect",
})  # fmt: skip
"""Keys of the whole experiment: its points share them."""

Point = dict[str, Node]
Values = Annotated[tuple[Any, ...], Field(strict=False, min_length=1)]
Entries = Annotated[tuple[dict[str, Any], ...], Field(strict=False)]


class Matrix(Section):
    """Several points from one file; each is a run of its own, once per seed."""

    grid: dict[str, Values] = Field(
        default={}, description="Values per dotted key, such as training.learning_rate."
    )
    include: Entries = Field(
        default=(), description="Values added to fitting combinations, or points of their own."
    )
    exclude: Entries = Field(default=(), description="Combinations that are left out.")


class _Holder(Section):
    matrix: Matrix


def points(matrix: Node) -> tuple[Point, ...]:
    """Return the points of `matrix`, each the values by dotted key, in a fixed order.

    Raises InvalidSpec with every finding.
    """
    _check_shape(matrix)
    grid = _mapping(matrix, "grid")
    include, exclude = _list(matrix, "include"), _list(matrix, "exclude")
    _raise(_check_keys(matrix, grid, include, exclude))
    _raise(_check_grid(matrix, grid))
    combined = _combinations(grid)
    kept, idle = _excluded(combined, exclude)
    _raise(iter(idle))
    full = _included(kept, include)
    _raise(_check_points(matrix, full))
    return tuple(full)


def fingerprint(value: Any) -> str:
    """Return one spelling for all values that JSON holds to be equal."""
    return json.dumps(_one_spelling(value), sort_keys=True, separators=(",", ":"))


def _one_spelling(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _one_spelling(inner) for key, inner in value.items()}
    return [_one_spelling(inner) for inner in value] if isinstance(value, list) else value


def _combinations(grid: dict[str, Node]) -> list[Point]:
    if not grid:
        return []
    # The key's mark goes along, so that an unknown key is shown where the matrix names it.
    columns = [
        [value._replace(key_mark=node.key_mark) for value in _items(node)] for node in grid.values()
    ]
    return [dict(zip(grid, row, strict=True)) for row in itertools.product(*columns)]


def _excluded(combined: list[Point], exclude: list[Node]) -> tuple[list[Point], list[Finding]]:
    idle: list[Finding] = []
    for index, entry in enumerate(exclude):
        kept = [point for point in combined if not _has(point, entry)]
        if len(kept) == len(combined):
            message = "this entry takes no combination out"
            cure = "write values of the grid, or delete it"
            idle.append(at(entry.mark, f"matrix.exclude[{index}]", "spec.matrix", message, cure))
        combined = kept
    return combined, idle


def _included(combined: list[Point], include: list[Node]) -> list[Point]:
    extended = [dict(point) for point in combined]
    alone: list[Point] = []
    for entry in include:
        values = _inner(entry)
        fitting = [index for index, point in enumerate(combined) if not _contradicts(point, values)]
        for index in fitting:
            extended[index].update(values)
        if not fitting:
            alone.append(dict(values))
    return extended + alone


def _has(point: Point, entry: Node) -> bool:
    return all(_same(point.get(key), value) for key, value in _inner(entry).items())


def _contradicts(point: Point, values: Point) -> bool:
    return any(key in point and not _same(point[key], value) for key, value in values.items())


def _same(one: Node | None, other: Node) -> bool:
    return one is not None and fingerprint(data(one)) == fingerprint(data(other))


def _check_shape(matrix: Node) -> None:
    holder = matrix._replace(value={"matrix": matrix})
    try:
        _Holder.model_validate({"matrix": data(matrix)}, context=FROM_FILE)
    except ValidationError as error:
        raise InvalidSpec(tuple(explain(error.errors(), _Holder, Marks(holder)))) from None


def _check_keys(
    matrix: Node, grid: dict[str, Node], include: list[Node], exclude: list[Node]
) -> Iterator[Finding]:
    if not grid and not include:
        message, cure = "the matrix has no points", "write a `grid`, or delete the matrix"
        yield at(matrix.key_mark, "matrix", "spec.matrix", message, cure)
    yield from _check_names(grid, "matrix.grid")
    for index, entry in enumerate(include):
        yield from _check_names(_inner(entry), f"matrix.include[{index}]")
        yield from _check_overlaps({**grid, **_inner(entry)}, f"matrix.include[{index}]")
    for index, entry in enumerate(exclude):
        for key, node in _inner(entry).items():
            if key not in grid:
                near = nearest(key, grid)
                cure = f"did you mean `{near}`?" if near else f"use one of: {', '.join(grid)}"
                message = f"{shown(key)} is no key of the grid"
                place = f"matrix.exclude[{index}].{key}"
                yield at(node.key_mark, place, "spec.matrix", message, cure)
        if not _inner(entry):
            yield at(entry.mark, f"matrix.exclude[{index}]", "spec.matrix",
                     "an empty entry would take out everything", "delete it")  # fmt: skip
    yield from _check_overlaps(grid, "matrix.grid")


def _check_names(values: dict[str, Node], where: str) -> Iterator[Finding]:
    for key, node in values.items():
        place = f"{where}.{key}"
        if key.partition(".")[0] in WHOLE:
            message = f"`{key}` belongs to the whole experiment and cannot vary in a matrix"
            cure = "write it at the top of the file" if key != "seeds" else "write `seeds:` there"
            yield at(node.key_mark, place, "spec.matrix", message, cure)
        elif path_of(Experiment, key) is None:
            near = nearest(key, dotted_keys(Experiment))
            cure = f"did you mean `{near}`?" if near else "write it like training.learning_rate"
            message = f"{shown(key)} is no key of a spec"
            yield at(node.key_mark, place, "spec.unknown_key", message, cure)


def _check_overlaps(values: dict[str, Node], where: str) -> Iterator[Finding]:
    for key, node in values.items():
        inside = [other for other in values if other.startswith(f"{key}.")]
        if inside and not key.startswith("overrides."):
            message = f"`{key}` and `{inside[0]}` set the same value"
            yield at(node.key_mark, f"{where}.{key}", "spec.matrix", message, "keep one of them")


def _check_grid(matrix: Node, grid: dict[str, Node]) -> Iterator[Finding]:
    number = math.prod(len(_items(node)) for node in grid.values())
    if number > MAX_COMBINATIONS:
        message = f"the grid has {number:,} combinations; the limit is {MAX_COMBINATIONS:,}"
        yield at(matrix.key_mark, "matrix.grid", "spec.limit", message, "write fewer values")
    for key, node in grid.items():
        seen: set[str] = set()
        for index, value in enumerate(_items(node)):
            text = fingerprint(data(value))
            if text in seen:
                message = f"the value {shown(text)} stands twice"
                place = f"matrix.grid.{key}[{index}]"
                yield at(value.mark, place, "spec.matrix", message, "delete one of the two")
            seen.add(text)


def _check_points(matrix: Node, full: list[Point]) -> Iterator[Finding]:
    if not full:
        message = "`exclude` takes out every combination"
        yield at(matrix.key_mark, "matrix", "spec.matrix", message, "keep at least one")
    seen: set[str] = set()
    for point in full:
        values = {key: data(node) for key, node in point.items()}
        text = fingerprint(values)
        if text in seen:
            message = f"two points are equal: {shown(json.dumps(values), 200)}"
            mark = next(reversed(point.values())).mark if point else matrix.mark
            yield at(mark, "matrix", "spec.matrix", message, "delete one of the two")
        seen.add(text)


def _raise(findings: Iterator[Finding]) -> None:
    found = tuple(itertools.islice(findings, 50))
    if found:
        raise InvalidSpec(found)


def _mapping(node: Node, key: str) -> dict[str, Node]:
    return _inner(_inner(node)[key]) if key in _inner(node) else {}


def _list(node: Node, key: str) -> list[Node]:
    return _items(_inner(node)[key]) if key in _inner(node) else []


def _inner(node: Node) -> dict[str, Node]:
    return node.value if isinstance(node.value, dict) else {}


def _items(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else []
