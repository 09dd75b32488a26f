"""Recorded runs, as the specs of the commit say them that they were claimed for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.errors import Refused
from runner.git.commit_tree import CommitTree
from runner.ledger.record import RunRecord
from runner.spec.check import LoadedExperiment, load_experiments, load_registry
from runner.spec.load import path_of
from runner.spec.resolve import ResolvedRun, Resolver
from runner.workspace import Workspace


class Commits:
    """The specs of some experiments at several commits, each commit read once."""

    def __init__(self, workspace: Workspace, names: Iterable[str]) -> None:
        """Read, when a commit is asked for, the specs `names`, and those that they start from."""
        self._names = frozenset(names)
        self._repository = workspace.repository
        self._trees: dict[str, CommitTree] = {}
        self._read: dict[str, tuple[Resolver, dict[str, LoadedExperiment]]] = {}

    def tree(self, commit: str) -> CommitTree:
        """Return the files of `commit`; what has been read of them is kept."""
        return self._trees.setdefault(commit, CommitTree(self._repository, commit))

    def run(self, commit: str, record: RunRecord) -> ResolvedRun:
        """Return the recorded run as the specs of `commit` say it.

        Raises Refused when that commit's specs do not give a run of this identity.
        """
        if commit not in self._read:
            self._read[commit] = self._load(commit)
        resolver, experiments = self._read[commit]
        experiment = experiments.get(record.experiment)
        for resolved in resolver.runs(experiment) if experiment else ():
            if resolved.run_id == record.run_id:
                return resolved
        raise Refused(
            f"the specs of {commit[:12]} do not give run {record.run_id} of {record.experiment}",
            cure="the runner or the ledger has changed since; launch it as a new run",
        )

    def _load(self, commit: str) -> tuple[Resolver, dict[str, LoadedExperiment]]:
        tree = self.tree(commit)
        found: dict[str, LoadedExperiment] = {}
        wanted = asked = self._names
        while wanted:
            there = sorted(name for name in wanted if tree.oid(path_of(name)))
            loaded = load_experiments(tree, there, all_bases=False).experiments if there else ()
            found |= {experiment.name: experiment for experiment in loaded}
            wanted = frozenset(name for one in loaded for name in _sources(one)) - asked
            asked |= wanted
        return Resolver(tree, load_registry(tree), tuple(found.values())), found


def _sources(experiment: LoadedExperiment) -> Iterator[str]:
    """Yield the experiments whose runs those of `experiment` start from."""
    for run in experiment.runs:
        if run.spec.model and run.spec.model.source == "run":
            yield run.spec.model.path.partition("@")[0]


def resolve_at(workspace: Workspace, commit: str, record: RunRecord) -> ResolvedRun:
    """Return one recorded run as the specs of `commit` say it; raises as `Commits.run`."""
    return Commits(workspace, [record.experiment]).run(commit, record)
