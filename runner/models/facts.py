"""What is known of the model that a spec names, from the nearest place that knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from runner.errors import InvalidSpec, Refused
from runner.models import table
from runner.models.architecture import Architecture, from_config
from runner.models.cache import snapshot
from runner.spec.check import LoadedExperiment, load_experiments, meant
from runner.spec.experiment import NAME, Model
from runner.spec.load import Specs, is_base, path_of
from runner.spec.tree import Tree

CONFIG = "config.json"
HUBS = ("huggingface", "modelscope")
MOST_BYTES = 2**20
"""Of a config.json."""
_MOST_HOPS = 20
"""Runs that start from runs: no longer chain than this is followed."""


class Facts(NamedTuple):
    """A model's architecture, and where that was read."""

    name: str
    """Of the model that the weights were made from, as the spec or its source names it."""
    architecture: Architecture
    source: str


class Models:
    """The models that the specs of a tree name; each is looked up once."""

    def __init__(self, tree: Tree, loaded: Iterable[LoadedExperiment] = ()) -> None:
        """Look into `tree`, of which some experiments are `loaded`; others are when asked for."""
        self._tree = tree
        self._facts: dict[Model, Facts | None] = {}
        self._experiments: dict[str, LoadedExperiment | None] = {one.name: one for one in loaded}

    def find(self, model: Model | None) -> Facts | None:
        """Return what is known of `model`; None when no config.json and no table tells."""
        if model is None:
            return None
        if model not in self._facts:
            self._facts[model] = self._find(model)
        return self._facts[model]

    def origin(self, model: Model) -> Model | None:
        """Return the model that training first started from, over runs that start from runs.

        None when the chain leads to no valid experiment.
        """
        for _ in range(_MOST_HOPS):
            if model.source != "run":
                return model
            upstream = self.experiment(model.path.partition("@")[0])
            if upstream is None or upstream.experiment.model is None:
                return None
            model = upstream.experiment.model
        return None

    def experiment(self, name: str) -> LoadedExperiment | None:
        """Return the experiment that a model's path names; None without a valid one."""
        if name not in self._experiments:
            self._load({name, *self._sources()})
        return self._experiments[name]

    def meant(self, name: str) -> str | None:
        """Return the experiment that a name stands for which no file has; None where one has it."""
        names = [one for one in Specs(self._tree).names if not is_base(one)]
        return None if name in names else meant(name, names)

    def _sources(self) -> Iterator[str]:
        """Yield what the experiments at hand start from: together they are loaded at once."""
        for experiment in self._experiments.values():
            model = experiment.experiment.model if experiment else None
            if model is not None and model.source == "run":
                yield model.path.partition("@")[0]

    def _load(self, names: set[str]) -> None:
        new = sorted(names - self._experiments.keys())
        there = [name for name in new if self._is_there(name)]
        self._experiments.update(dict.fromkeys(new))
        try:
            loaded = load_experiments(self._tree, there).experiments
        except (Refused, InvalidSpec):
            return
        self._experiments.update({one.name: one for one in loaded})

    def _is_there(self, name: str) -> bool:
        named = bool(NAME.fullmatch(name)) and not is_base(name)
        return named and self._tree.read(path_of(name)) is not None

    def _find(self, model: Model) -> Facts | None:
        origin = self.origin(model)
        if origin is None:
            return None
        if origin.source in HUBS:
            return _cached(origin) or _listed(origin)
        path = f"{origin.path}/{CONFIG}"
        try:
            return _facts(origin.path, self._tree.read(path), path)
        except Refused:
            return None


def _listed(model: Model) -> Facts | None:
    row = table.row(model.path)
    return (
        Facts(model.path, row.architecture, f"the table of models ({row.source})") if row else None
    )


def _cached(model: Model) -> Facts | None:
    """Read the config of a pinned revision that this machine has fetched from the hub before."""
    if model.revision is None or model.source != "huggingface":
        return None
    try:
        content = (snapshot(model.path, model.revision) / CONFIG).read_bytes()
    except (OSError, ValueError):
        return None
    return _facts(model.path, content, f"{CONFIG} at {model.revision[:12]}")


def _facts(name: str, content: bytes | None, source: str) -> Facts | None:
    if content is None or len(content) > MOST_BYTES:
        return None
    try:
        config: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    architecture = from_config(config) if isinstance(config, dict) else None
    return Facts(name, architecture, source) if architecture else None
