"""Checking specs without git, network or anything heavy: load, expand, rules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from runner.findings import Finding
from runner.registry import Registry, find_root
from runner.rules import check
from runner.screen import count
from runner.sound import NOTHING, Memory, Sound, WatchedTree, recall, remember
from runner.spec.check import Loaded, LoadedExperiment, in_order, load_experiments, load_registry


class Validation(NamedTuple):
    """What validating found."""

    experiments: int
    runs: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings block."""
        return sum(finding.level == "error" for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """Return the JSON of `validate --json`."""
        findings = [finding._asdict() for finding in self.findings]
        return {"experiments": self.experiments, "runs": self.runs, "findings": findings}

    def summary(self) -> str:
        """Return the result in one line."""
        hints = len(self.findings) - self.errors
        told = [count(self.errors, "error")] if self.errors else []
        told += [count(hints, "hint")] if hints else []
        return (
            f"{count(self.experiments, 'experiment')}, {count(self.runs, 'run')}: "
            f"{', '.join(told) or 'nothing to complain about'}"
        )


def validate(start: Path, only: Sequence[str] = (), *, deep: bool = False) -> Validation:
    """Check the work tree's specs (`only` some, by name or path) against every rule.

    Of a whole registry, experiments that were found sound before and have not changed since are
    counted and not checked again. With `deep`, all are, and every row of their datasets is read.
    Raises Refused where there is no registry, InvalidSpec when its settings are invalid.
    """
    root = find_root(start)
    began = time.time_ns()
    tree = WatchedTree(root)
    registry = load_registry(tree)
    if only or deep:
        names = [_name(root, start, one) for one in only] or None
        loaded = load_experiments(tree, names)
        validation = _validated(loaded, tree, registry, NOTHING)
        return _with_rows(validation, loaded, start) if deep else validation
    former = recall(root)
    loaded = load_experiments(tree, without=former.sound.keys())
    validation = _validated(loaded, tree, registry, former)
    remember(root, former, _sound(loaded, validation), tree, began)
    return validation


def _validated(loaded: Loaded, tree: WatchedTree, registry: Registry, former: Memory) -> Validation:
    findings = in_order((*loaded.findings, *check(loaded, tree, registry)))
    runs = sum(len(experiment.runs) for experiment in loaded.experiments)
    return Validation(
        len(loaded.experiments) + len(former.sound),
        runs + sum(one.runs for one in former.sound.values()),
        findings,
    )


def _with_rows(validation: Validation, loaded: Loaded, start: Path) -> Validation:
    from runner.datasets.findings import exact
    from runner.tasks import train_python
    from runner.workspace import open_workspace

    workspace = open_workspace(start)
    python_of = partial(train_python, workspace)
    found = exact(validation.findings, loaded.experiments, workspace.root, python_of)
    return validation._replace(findings=in_order(found))


def _sound(loaded: Loaded, validation: Validation) -> dict[str, Sound]:
    """Return the experiments that nothing was found in, neither in a file they are made of.

    One that starts from another's run depends on that one's spec, and is always checked.
    """
    faulty = {finding.path for finding in validation.findings}
    return {
        one.name: Sound(len(one.runs), (one.path, *one.bases))
        for one in loaded.experiments
        if not faulty.intersection((one.path, *one.bases)) and not _has_upstream(one)
    }


def _has_upstream(experiment: LoadedExperiment) -> bool:
    models = (run.spec.model for run in experiment.runs)
    return any(model is not None and model.source == "run" for model in models)


def _name(root: Path, start: Path, spec: str) -> str:
    """Return a spec named by a path, relative to where the person stands, as a path of the root."""
    path = (start / spec).resolve()
    return str(path.relative_to(root)) if path.is_file() and path.is_relative_to(root) else spec
