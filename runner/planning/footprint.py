"""What is read of a commit for each experiment, taken down while it is read.

What several experiments share is parsed once, and so read for the first of them alone: `footprint`
adds what such parts are made of, whoever asked first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import NamedTuple, Protocol

from runner.errors import Refused
from runner.git.commit_tree import CommitTree
from runner.git.repository import Repository
from runner.ledger.settled import Footprint, Settled
from runner.models.facts import CONFIG
from runner.spec.check import LoadedExperiment, load_registry
from runner.spec.experiment import Experiment
from runner.spec.inputs import DvcOutputs, resolve
from runner.spec.load import path_of
from runner.spec.tree import Tree

OF_DVC = (("", ".dvc"), ("", "dvc.lock"))
"""The listings by which DVC's files are found."""


class Notes(Protocol):
    """What is noted of settled experiments."""

    def get(self, name: str, /) -> Settled | None:
        """Return what is noted of one, None where it is not settled."""


class _Trace(NamedTuple):
    files: set[str]
    listings: set[tuple[str, str]]


class TracedTree(CommitTree):
    """A commit that takes down what is asked of it, by experiment."""

    def __init__(self, repository: Repository, commit: str) -> None:
        """Look at `commit` (a full id) of `repository`; nothing is read before it is asked for."""
        super().__init__(repository, commit)
        self._traces: dict[str, _Trace] = {}
        self._current: _Trace | None = None

    @contextmanager
    def tracing(self, name: str) -> Iterator[None]:
        """Take down what is read inside as read for the experiment `name`."""
        former = self._current
        self._current = self.trace(name)
        try:
            yield
        finally:
            self._current = former

    def trace(self, name: str) -> _Trace:
        """Return what has been read for the experiment `name` so far."""
        return self._traces.setdefault(name, _Trace(set(), set()))

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those `paths` that are files, all read by one process."""
        wanted = list(paths)
        if self._current:
            self._current.files.update(wanted)
        return super().read_many(wanted)

    def paths(self, folder: str = "", suffix: str = "") -> list[str]:
        """Return the sorted paths below `folder` that end in `suffix`."""
        if self._current:
            self._current.listings.add((folder, suffix))
        return super().paths(folder, suffix)


def tracing(tree: Tree, name: str) -> AbstractContextManager[None]:
    """Take down what is read of `tree` for an experiment, where it does so."""
    return tree.tracing(name) if isinstance(tree, TracedTree) else nullcontext()


def footprints(
    experiments: Sequence[LoadedExperiment],
    tree: Tree,
    outputs: DvcOutputs,
    settled: Notes,
) -> dict[str, Footprint]:
    """Return `footprint` of each of `experiments`; none where `tree` took nothing down."""
    if not isinstance(tree, TracedTree):
        return {}
    loaded = {one.name: one for one in experiments}
    for name in {name for one in experiments for name in _sources(one)} & loaded.keys():
        _read_as_source(loaded[name], tree, outputs)
    return {name: footprint(name, loaded, tree, outputs, settled) for name in loaded}


def _read_as_source(experiment: LoadedExperiment, tree: TracedTree, outputs: DvcOutputs) -> None:
    """Take down for `experiment` what its runs read.

    Where one that starts from it was resolved before, that was read for that one.
    """
    registry = load_registry(tree)
    with tree.tracing(experiment.name), suppress(Refused):
        for run in {id(run.spec): run for run in experiment.runs}.values():
            resolve(run, tree, outputs, registry, None)


def footprint(
    name: str,
    loaded: Mapping[str, LoadedExperiment],
    tree: TracedTree,
    outputs: DvcOutputs,
    settled: Notes,
) -> Footprint:
    """Return what the runs of an experiment, and what is found in it, follow from.

    For one that starts from another's run, that one's too, and so on: taken from `settled`, or from
    what was traced of it.
    """
    files, listings = set[str](), set[tuple[str, str]]()
    names, found = [name], Footprint({}, {})
    for one in names:  # which grows meanwhile
        files.add(path_of(one))
        note = settled.get(one)
        if note is not None:
            found = _both(found, note.footprint)
            continue
        trace = tree.trace(one)
        files |= trace.files
        listings |= trace.listings
        if one in loaded:
            beside = _beside(loaded[one], outputs)
            files |= beside.files
            listings |= beside.listings
            names += [other for other in _sources(loaded[one]) if other not in names]
    # Compared by itself: without it most experiments share their footprint with many others.
    files.discard(path_of(name))
    here = Footprint(
        {path: tree.blob(path) for path in files},
        {f"{folder}|{suffix}": listing(tree, folder, suffix) for folder, suffix in listings},
    )
    return _both(found, here)


def listing(tree: Tree, folder: str, suffix: str) -> str:
    """Return a digest of the paths of `tree` below `folder` that end in `suffix`."""
    return hashlib.sha1(
        "\0".join(tree.paths(folder, suffix)).encode("utf-8", "surrogateescape"),
        usedforsecurity=False,
    ).hexdigest()


def _places(spec: Experiment) -> list[str]:
    """Return the paths at which a spec reads data, and a model of the repository."""
    data, model = spec.data, spec.model
    places = [data.train, *data.val.values()] if data else []
    return [*places, *([model.path] if model and model.source in ("dvc", "path") else [])]


def _of_model(spec: Experiment) -> list[str]:
    model = spec.model
    return [f"{model.path}/{CONFIG}"] if model and model.source in ("dvc", "path") else []


def _beside(experiment: LoadedExperiment, outputs: DvcOutputs) -> _Trace:
    """Return what is read once for all: bases, what DVC says of the data, a model's settings."""
    found = _Trace(set(experiment.bases), set())
    for spec in _specs(experiment):
        for place in _places(spec):
            found.files.update(outputs.sources(place))
            found.listings.update(() if outputs.find(place) else OF_DVC)
        found.files.update(_of_model(spec))
    return found


def _specs(experiment: LoadedExperiment) -> Iterable[Experiment]:
    return {id(run.spec): run.spec for run in experiment.runs}.values()


def _sources(experiment: LoadedExperiment) -> list[str]:
    """Return the experiments from whose runs those of `experiment` start."""
    models = [spec.model for spec in _specs(experiment)]
    paths = [model.path for model in models if model and model.source == "run"]
    return list(dict.fromkeys(path.partition("@")[0] for path in paths))


def _both(one: Footprint, other: Footprint) -> Footprint:
    return Footprint({**one.files, **other.files}, {**one.listings, **other.listings})
