"""Checking specs without git, network or anything heavy: load, expand, rules."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from runner.findings import Finding
from runner.registry import Registry
from runner.root import find_root
from runner.rules import check_each
from runner.rules.checked import Checked, WatchedTree, recall, remember
from runner.screen import count
from runner.spec.check import Loaded, LoadedExperiment, in_order, load_experiments, load_registry


class Validation(NamedTuple):
    """What validating found."""

    experiments: int
    runs: int
    """Of the experiments that could be read."""
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

    Of a whole registry, experiments that were checked before and have not changed since are not
    checked again. With `deep`, all are, every row of their datasets is read, and their rewards are
    tried.
    Raises Refused where there is no registry, InvalidSpec when its settings are invalid.
    """
    root = find_root(start)
    began = time.time_ns()
    tree = WatchedTree(root)
    registry = load_registry(tree)
    if only or deep:
        names = [_name(root, start, one) for one in only] or None
        loaded = load_experiments(tree, names)
        checked = _checked(loaded, tree, registry)
        validation = _validation(loaded, checked)
        if not deep:
            return validation
        return _with_rewards(_with_rows(validation, loaded, start), loaded, tree)
    former = recall(root)
    loaded = load_experiments(tree, without=former.experiments.keys())
    checked = _checked(loaded, tree, registry)
    lasting = {one.name for one in loaded.experiments if not _has_upstream(one)}
    found = {name: one for name, one in checked.items() if name in lasting}
    remember(root, former, found, tree, began)
    return _validation(loaded, {**former.experiments, **checked})


def _checked(loaded: Loaded, tree: WatchedTree, registry: Registry) -> dict[str, Checked]:
    found = check_each(loaded, tree, registry)
    return {
        one.name: Checked(len(one.runs), (one.path, *one.bases), found[one.name])
        for one in loaded.experiments
    }


def _validation(loaded: Loaded, checked: Mapping[str, Checked]) -> Validation:
    found = (finding for one in checked.values() for finding in one.findings)
    runs = sum(one.runs for one in checked.values())
    experiments = checked.keys() | loaded.refused.keys()
    return Validation(len(experiments), runs, in_order((*loaded.findings, *found)))


def _with_rows(validation: Validation, loaded: Loaded, start: Path) -> Validation:
    from runner.datasets.findings import exact
    from runner.launching.tasks import train_python
    from runner.workspace import open_workspace

    workspace = open_workspace(start)
    python_of = partial(train_python, workspace)
    found = exact(validation.findings, loaded.experiments, workspace.root, python_of)
    return validation._replace(findings=in_order(found))


def _with_rewards(validation: Validation, loaded: Loaded, tree: WatchedTree) -> Validation:
    from runner.reward_check.findings import findings

    found = findings(loaded.experiments, tree)
    return validation._replace(findings=in_order((*validation.findings, *found)))


def _has_upstream(experiment: LoadedExperiment) -> bool:
    """Whether it starts from another's run: then that one's spec counts too."""
    models = (run.spec.model for run in experiment.runs)
    return any(model is not None and model.source == "run" for model in models)


def _name(root: Path, start: Path, spec: str) -> str:
    """Return a spec named by a path, relative to where the person stands, as a path of the root."""
    path = (start / spec).resolve()
    return str(path.relative_to(root)) if path.is_file() and path.is_relative_to(root) else spec
