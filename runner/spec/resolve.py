"""Runs with their identities, each computed once, those that start from another run after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from runner.errors import Refused
from runner.registry import Registry
from runner.spec.check import LoadedExperiment
from runner.spec.experiment import Run
from runner.spec.identity import Identity, identify
from runner.spec.inputs import DvcOutputs, Inputs, resolve
from runner.spec.tree import Tree


class ResolvedRun(NamedTuple):
    """A run, what it reads, and who it is."""

    run: Run
    inputs: Inputs
    identity: Identity

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of the identity."""
        return self.identity.run_id


class KnownRun(Protocol):
    """A run whose identity is known without its spec."""

    @property
    def run_id(self) -> str:
        """The first 12 hex digits of its identity."""

    @property
    def seed(self) -> int:
        """Its seed."""


class Resolver:
    """Computes identities in one tree of files."""

    def __init__(
        self,
        tree: Tree,
        registry: Registry,
        experiments: Sequence[LoadedExperiment],
        known: Callable[[str], Sequence[KnownRun]] = lambda _: (),
        outputs: DvcOutputs | None = None,
    ) -> None:
        """Prepare for the runs of `experiments`, which were loaded from `tree`.

        Of others that they start from the runs may be `known` already: called with their names. So
        may the `outputs` of DVC in the tree.
        """
        self._known = known
        self._tree = tree
        self._registry = registry
        self._experiments = {experiment.name: experiment for experiment in experiments}
        self._outputs = outputs or DvcOutputs(tree)
        self._done: dict[tuple[str, int], ResolvedRun] = {}

    def runs(self, experiment: LoadedExperiment) -> Iterator[ResolvedRun]:
        """Yield the runs of `experiment`, resolved.

        Raises Refused when an input is tracked by nothing or a source run cannot be named.
        """
        for index in range(len(experiment.runs)):
            yield self._resolve(experiment.name, index, ())

    def _resolve(self, name: str, index: int, chain: tuple[str, ...]) -> ResolvedRun:
        if (name, index) not in self._done:
            run = self._experiments[name].runs[index]
            upstream = self._upstream(run, (*chain, name))
            inputs = resolve(run, self._tree, self._outputs, self._registry, upstream)
            self._done[name, index] = ResolvedRun(run, inputs, identify(run, inputs))
        return self._done[name, index]

    def _upstream(self, run: Run, chain: tuple[str, ...]) -> str | None:
        """Return the id of the run whose checkpoint `run` starts from."""
        model = run.spec.model
        if model is None or model.source != "run":
            return None
        name, _, pinned = model.path.partition("@")
        if pinned:
            return pinned
        if name in chain:
            raise Refused(
                f"`model` goes in a circle: {' -> '.join((*chain, name))}",
                cure=f"pin one: path: {name}@<run id>   starts from that run, whatever follows",
            )
        if name not in self._experiments and (runs := self._known(name)):
            return runs[_index_of_source(name, [one.seed for one in runs], run)].run_id
        source = self._experiments.get(name)
        if source is None:
            raise Refused(
                f"`model` starts from `{name}`, which is no valid experiment here",
                cure=f"mend experiments/{name}.yaml, or pin a run: path: {name}@<run id>",
            )
        index = _index_of_source(name, [one.seed for one in source.runs], run)
        return self._resolve(name, index, chain).run_id


def _index_of_source(source: str, seeds: Sequence[int], run: Run) -> int:
    """Return which of the source's runs is meant: the only one, else the one with the same seed."""
    if len(seeds) == 1:
        return 0
    same = [index for index, seed in enumerate(seeds) if seed == run.seed]
    if len(same) == 1:
        return same[0]
    raise Refused(
        f"`model` starts from `{source}`, which has {len(same)} runs with seed {run.seed}",
        cure=f"name one: path: {source}@<run id>",
    )
