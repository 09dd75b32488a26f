"""What is said of a run that is about to be launched: its forecast, and hints from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.datasets.small import describe
from runner.findings import Finding
from runner.forecast.document import Forecast, Forecaster
from runner.forecast.earlier import Earlier
from runner.ledger.prices import read_prices
from runner.ledger.snapshot import Snapshot
from runner.models.facts import Models
from runner.registry import Registry
from runner.rules import check_launch
from runner.spec.cards import Cards
from runner.spec.check import LoadedExperiment
from runner.spec.experiment import Run
from runner.spec.tree import Tree


class Foreseen(NamedTuple):
    """What one run is expected to take, and what is worth a look before it."""

    forecast: Forecast | None
    findings: tuple[Finding, ...]


class Foresight:
    """Looks at runs of one tree with one ledger, each experiment once."""

    def __init__(
        self,
        tree: Tree,
        snapshot: Snapshot,
        registry: Registry,
        experiments: Sequence[LoadedExperiment],
    ) -> None:
        """Prepare for runs of `experiments`; nothing is read before a run is asked for."""
        self._tree = tree
        self._registry = registry
        self._experiments = {experiment.name: experiment for experiment in experiments}
        self._earlier = Earlier(snapshot)
        models = Models(tree, experiments)
        cards, prices = Cards(tree, describe), read_prices(snapshot)
        self._forecaster = Forecaster(models, cards, self._earlier, prices)
        self._findings: dict[str, tuple[Finding, ...]] = {}

    def of(self, run: Run) -> Foreseen:
        """Return what is foreseen of `run`."""
        name = run.experiment
        if name not in self._findings:
            self._findings[name] = check_launch(
                self._experiments[name], self._tree, self._registry, self._earlier
            )
        return Foreseen(self._forecaster.forecast(name, run.spec), self._findings[name])
