"""Recorded runs, as the specs of the commit say them that they were claimed for."""

from __future__ import annotations

from runner.errors import Refused
from runner.git.repository import CommitTree
from runner.ledger.record import RunRecord
from runner.spec.check import LoadedExperiment, load_experiments, load_registry
from runner.spec.resolve import ResolvedRun, Resolver
from runner.workspace import Workspace


class Commits:
    """The specs of commits, each commit read once."""

    def __init__(self, workspace: Workspace) -> None:
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
        experiments = load_experiments(tree).experiments
        resolver = Resolver(tree, load_registry(tree), experiments)
        return resolver, {experiment.name: experiment for experiment in experiments}


def resolve_at(workspace: Workspace, commit: str, record: RunRecord) -> ResolvedRun:
    """Return one recorded run as the specs of `commit` say it; raises as `Commits.run`."""
    return Commits(workspace).run(commit, record)
