"""Checking specs without git, network or anything heavy: load, expand, rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.findings import Finding
from runner.registry import find_root
from runner.rules import check
from runner.screen import count
from runner.spec.check import in_order, load_experiments, load_registry
from runner.spec.tree import WorkTree


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


def validate(start: Path, only: Sequence[str] = ()) -> Validation:
    """Check the work tree's specs (`only` some, by name or path) against every rule.

    Raises Refused where there is no registry, InvalidSpec when its settings are invalid.
    """
    root = find_root(start)
    tree = WorkTree(root)
    registry = load_registry(tree)
    loaded = load_experiments(tree, [_name(root, start, spec) for spec in only] or None)
    findings = in_order((*loaded.findings, *check(loaded, tree, registry)))
    runs = sum(len(experiment.runs) for experiment in loaded.experiments)
    return Validation(len(loaded.experiments), runs, findings)


def _name(root: Path, start: Path, spec: str) -> str:
    """Return a spec named by a path, relative to where the person stands, as a path of the root."""
    path = (start / spec).resolve()
    return str(path.relative_to(root)) if path.is_file() and path.is_relative_to(root) else spec
