"""From a tree of files to valid experiments and settings, or findings that say why not."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from runner.errors import InvalidSpec, Refused
from runner.findings import Finding
from runner.registry import Registry
from runner.root import FILE
from runner.spec.expand import MarkedRun, expand, validate_base
from runner.spec.experiment import Experiment, Run
from runner.spec.explain import explain
from runner.spec.fields import nearest
from runner.spec.load import Specs, is_base, path_of
from runner.spec.node import Marks, data
from runner.spec.section import FROM_FILE
from runner.spec.tree import Tree
from runner.spec.yaml import parse


class LoadedExperiment(NamedTuple):
    """A valid experiment: its runs, and where each value stands."""

    name: str
    path: str
    runs: tuple[Run, ...]
    """In a fixed order: the points of the matrix, and for each its seeds."""
    experiment: Experiment
    """The spec; with a matrix, that of the first point."""
    own: dict[str, Any]
    """What the file itself says, before bases are merged in: with `extends` and `matrix`."""
    bases: tuple[str, ...]
    """Paths of all files that it extends, directly or not."""
    marks: Marks
    """Places of the spec with its bases, without its matrix."""
    run_marks: tuple[Marks, ...]
    """For each run the places of its spec; values of the matrix stand in the matrix."""


class Loaded(NamedTuple):
    """The experiments of a tree; the invalid ones are there only as findings."""

    experiments: tuple[LoadedExperiment, ...]
    findings: tuple[Finding, ...]
    """Each once, sorted by place; the path is the file at fault, which may be a base."""
    refused: dict[str, tuple[Finding, ...]]
    """The findings of each invalid experiment, by its name, its bases' among them."""


def load_experiments(
    tree: Tree,
    only: Sequence[str] | None = None,
    without: Container[str] = (),
    *,
    all_bases: bool = True,
) -> Loaded:
    """Load all experiments of `tree` `without` those named, or `only` some, by name or path.

    An invalid file blocks the experiments that are or extend it, and no other. With `all_bases` it
    is said too what is wrong with bases that none of them extends. Raises Refused for a name in
    `only` that is no experiment.
    """
    specs = Specs(tree)
    findings: list[Finding] = []
    if only is None:
        names = [name for name in specs.names if not is_base(name) and name not in without]
        findings += specs.findings.values()
        findings += _of_bases(specs) if all_bases else ()
    else:
        names = [_chosen(name, specs) for name in dict.fromkeys(only)]
    experiments: list[LoadedExperiment] = []
    refused: dict[str, tuple[Finding, ...]] = {}
    for name in names:
        try:
            experiments.append(_load(specs, name))
        except InvalidSpec as invalid:
            refused[name] = invalid.findings
            findings += invalid.findings
    return Loaded(tuple(experiments), in_order(findings), refused)


def load_registry(tree: Tree) -> Registry:
    """Load registry.yaml; raises InvalidSpec, or Refused where there is none."""
    text = tree.read(FILE)
    if text is None:
        raise Refused(f"there is no {FILE} here", cure="runner init   makes a registry")
    return _registry(text)


@lru_cache(maxsize=16)
def _registry(text: bytes) -> Registry:
    # Kept: a plan reads the settings of the work tree, of its commit and of the one applied before,
    # which are mostly the same.
    document = parse(text, FILE)
    try:
        return Registry.model_validate(document.data, context=FROM_FILE)
    except ValidationError as error:
        raise InvalidSpec(tuple(explain(error.errors(), Registry, document.marks))) from None


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return each of `findings` once, by path, line and column."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda one: (one.path, one.line, one.column)))


def _load(specs: Specs, name: str) -> LoadedExperiment:
    merged = specs.merged(name)
    marked: tuple[MarkedRun, ...] = expand(name, merged.root, merged.matrix, specs.lines)
    return LoadedExperiment(
        name=name,
        path=path_of(name),
        runs=tuple(one.run for one in marked),
        experiment=marked[0].run.spec,
        own=data(merged.own.root),
        bases=merged.bases,
        marks=Marks(merged.root),
        run_marks=tuple(one.marks for one in marked),
    )


def meant(name: str, known: Sequence[str]) -> str | None:
    """Return the experiment that is meant: one in a folder that was left out, else a near one."""
    below = [one for one in known if one.endswith(f"/{name}")]
    return below[0] if len(below) == 1 else nearest(name, known)


def _of_bases(specs: Specs) -> Iterator[Finding]:
    for name in filter(is_base, specs.names):
        try:
            yield from validate_base(specs.merged(name).root, specs.lines)
        except InvalidSpec as invalid:
            yield from invalid.findings


def _chosen(name: str, specs: Specs) -> str:
    short = name.removeprefix("./").removeprefix("experiments/").removesuffix(".yaml")
    if specs.has(short) and not is_base(short):
        return short
    misnamed = specs.findings.get(name) or specs.findings.get(path_of(short))
    if misnamed:
        raise InvalidSpec((misnamed,))
    near = meant(short, [one for one in specs.names if not is_base(one)])
    cure = f"did you mean `{near}`?" if near else f"write it to {path_of(short)}"
    message = f"`{short}` is abstract" if is_base(short) else f"there is no experiment `{short}`"
    raise Refused(message, cure=cure)
