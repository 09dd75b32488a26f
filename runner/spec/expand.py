"""A merged spec becomes runs: one per point of its matrix and per seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from runner.errors import InvalidSpec
from runner.findings import Finding, at
from runner.spec.experiment import Experiment, Run
from runner.spec.explain import explain, is_incomplete
from runner.spec.fields import path_of
from runner.spec.matrix import Point, points
from runner.spec.merge import merge
from runner.spec.node import Lines, Marks, Node, data, dotted, no_lines
from runner.spec.scalars import meant, shown
from runner.spec.section import FROM_FILE

MAX_RUNS = 1_000


class MarkedRun(NamedTuple):
    """A run, and where each value of its spec stands (a value of the matrix: there)."""

    run: Run
    marks: Marks


def expand(
    name: str, root: Node, matrix: Node | None = None, lines: Lines = no_lines
) -> tuple[MarkedRun, ...]:
    """Return the runs of the experiment `name`: points in the matrix's order, seeds in the list's.

    `root` is the spec with its bases merged in, without `extends` and `matrix`. Every point is
    validated as an experiment of its own; raises InvalidSpec with the findings of all of them.
    """
    findings: dict[Finding, None] = {}
    runs: list[MarkedRun] = []
    for point in points(matrix) if matrix else ({},):
        full = merge(root, _overlay(matrix or root, point)) if point else root
        try:
            spec = validate(full, lines)
        except InvalidSpec as invalid:
            findings.update(dict.fromkeys(invalid.findings))
            continue
        values = {key: data(node) for key, node in point.items()}
        for seed in spec.seeds:
            run = Run(experiment=name, seed=seed, point=values, spec=spec)
            runs.append(MarkedRun(run, Marks(full, lines)))
    if findings:
        raise InvalidSpec(tuple(findings))
    _check_number(len(runs), Marks(root), matrix)
    return tuple(runs)


def validate(root: Node, lines: Lines = no_lines) -> Experiment:
    """Return the complete spec `root` as an Experiment; raises InvalidSpec with every finding."""
    findings = tuple(_ambiguous(root))
    try:
        experiment = Experiment.model_validate(data(root), context=FROM_FILE)
    except ValidationError as error:
        findings += tuple(explain(error.errors(), Experiment, Marks(root, lines)))
        raise InvalidSpec(findings) from None
    if findings:
        raise InvalidSpec(findings)
    return experiment


def validate_base(root: Node, lines: Lines = no_lines) -> tuple[Finding, ...]:
    """Return what is wrong with the abstract spec `root`, in which keys may be missing."""
    findings = tuple(_ambiguous(root))
    try:
        Experiment.model_validate(data(root), context=FROM_FILE)
    except ValidationError as error:
        complete = [detail for detail in error.errors() if not is_incomplete(detail)]
        findings += tuple(explain(complete, Experiment, Marks(root, lines)))
    return findings


def _overlay(start: Node, point: Point) -> Node:
    """Return the point's values as a spec: dotted keys become nested mappings."""
    tree: dict[str, Any] = {}
    for key, value in point.items():
        path = path_of(Experiment, key) or (key,)
        inner = tree
        for part in path[:-1]:
            inner = inner.setdefault(str(part), {})
        inner[str(path[-1])] = value
    return _nodes(tree, start)


def _nodes(tree: dict[str, Any] | Node, start: Node) -> Node:
    if isinstance(tree, Node):
        return tree
    inner = {key: _nodes(value, start) for key, value in tree.items()}
    first = next(iter(inner.values()), start)
    return Node(inner, first.key_mark, first.key_mark)


def _ambiguous(root: Node) -> Iterator[Finding]:
    """Yield raw keys of the trainer with a text that YAML 1.1 reads as something else.

    No type of ours says what is meant there, and `no` as a text counts as true in most trainers.
    """
    overrides = Marks(root).find(("overrides",))
    for path, node in _texts(overrides, ("overrides",)) if overrides else ():
        instead = meant(str(node.value))
        if instead is not None:
            message = f"{shown(str(node.value))} is text here, and {instead} for other readers"
            cure = f"write {instead}, or put it in quotes if it is text"
            yield at(node.mark, dotted(path), "spec.value", message, cure)


def _texts(node: Node, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    if isinstance(node.value, dict):
        for key, below in node.value.items():
            yield from _texts(below, (*path, key))
    elif isinstance(node.value, list):
        for index, below in enumerate(node.value):
            yield from _texts(below, (*path, index))
    elif isinstance(node.value, str) and node.plain:
        yield path, node


def _check_number(number: int, marks: Marks, matrix: Node | None) -> None:
    if number > MAX_RUNS:
        mark = matrix.key_mark if matrix else marks.key(("seeds",))
        message = f"the experiment has {number:,} runs; the limit is {MAX_RUNS:,}"
        finding = at(mark, "matrix", "spec.limit", message, "write fewer values or seeds")
        raise InvalidSpec((finding,))
