"""What a rule gets to see, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runner.findings import Finding, Level
from runner.forecast.earlier import Earlier
from runner.models.facts import Models
from runner.registry import Registry
from runner.spec.cards import Cards
from runner.spec.experiment import Experiment
from runner.spec.inputs import DvcOutputs
from runner.spec.node import Marks, Path, dotted
from runner.spec.tree import Tree


class Context(NamedTuple):
    """What rules know besides the spec."""

    tree: Tree
    registry: Registry
    """Settings; the caller decides of which commit its policy is."""
    is_tracked: Callable[[str], bool]
    """Whether DVC or git knows the content of a path of the repository."""
    outputs: DvcOutputs
    """What DVC tracks."""
    cards: Cards
    """What is known of datasets without their content."""
    models: Models
    """What is known of models without their weights."""
    earlier: Earlier | None = None
    """What the ledger knows of earlier runs; none where it is not asked."""


class Subject(NamedTuple):
    """One point of an experiment: what a rule is about."""

    name: str
    spec: Experiment
    marks: Marks
    context: Context
    worked_out: dict[str, Any]
    """What a rule has worked out of the spec, for others of its module that need it too."""

    def at(
        self, path: Path, message: str, cure: str, *, on_key: bool = False, instead: str = ""
    ) -> Finding:
        """Return a finding at the value (or key) at `path`, or its nearest parent's key.

        `instead` is what to write in its place, where that is all there is to do. The rule's id and
        level are filled in by the frame.
        """
        mark = self.marks.key(path) if on_key else self.marks.value(path)
        mended = self.marks.mended(path, instead, on_key=on_key) if instead else ""
        return Finding(*mark, dotted(path), "", "error", message, cure, mended)


class Rule(NamedTuple):
    """A rule: whether it blocks, and the function whose docstring documents it."""

    level: Level
    check: Callable[[Subject], Iterator[Finding]]

    @property
    def documentation(self) -> str:
        """One line: what the rule asks for."""
        return (self.check.__doc__ or "").strip().partition("\n")[0]
