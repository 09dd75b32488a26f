"""Footprints hold all that is read for an experiment, and are all that is read of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from planned_registry import SPEC, PlannedRegistry
from real_git import git
from settled_registry import (
    MATRIX,
    STARTS,
    looked_at,
)

from runner.planning.asked import plan_here
from runner.planning.footprint import TracedTree, footprint
from runner.planning.settling import find_settled
from runner.rules import Checker
from runner.spec.check import load_experiments
from runner.spec.inputs import DvcOutputs
from runner.spec.resolve import Resolver
from runner.workspace import open_workspace


def traced_alone(registry: PlannedRegistry, name: str) -> Iterator[str]:
    """Yield what is read when only this experiment is checked and resolved, all caches cold."""
    workspace = registry.workspace
    tree = TracedTree(workspace.repository, workspace.repository.head())
    everything = load_experiments(tree)
    loaded = tuple(one for one in everything.experiments if one.name == name)
    with tree.tracing(name):
        load_experiments(tree, [name])
        Checker(loaded, tree, workspace.registry).check(loaded[0])
        list(Resolver(tree, workspace.registry, everything.experiments).runs(loaded[0]))
    yield from (path for path in tree.trace(name).files if tree.blob(path))


def test_a_footprint_holds_all_that_is_read_for_an_experiment(registry: PlannedRegistry) -> None:
    registry.commit(starts=STARTS)
    workspace = registry.workspace
    tree = TracedTree(workspace.repository, workspace.repository.head())
    loaded = load_experiments(tree).experiments
    checker, resolver = (
        Checker(loaded, tree, workspace.registry),
        Resolver(tree, workspace.registry, loaded),
    )
    for one in loaded:  # together, as a plan does: what is shared is read for the first alone
        with tree.tracing(one.name):
            checker.check(one)
            list(resolver.runs(one))
    outputs = DvcOutputs(tree)
    for one in reversed(loaded):
        held = footprint(one.name, {one.name: one for one in loaded}, tree, outputs, {}).files
        read = set(traced_alone(registry, one.name))
        read -= {f"experiments/{one.name}.yaml"}
        # Other pointers are read to find the one that holds a dataset.
        read -= {path for path in read if path.endswith(".dvc") and path not in held}
        assert read <= held.keys(), one.name


def test_a_work_tree_knows_settled_experiments_too(registry: PlannedRegistry) -> None:
    git(registry.folder, "status")
    (registry.folder / "experiments" / "other.yaml").write_text(SPEC)
    assert looked_at(registry) == {"other"}
    found = find_settled(load_tree(registry), registry.snapshot, registry.workspace.registry)
    assert found.names() == sorted(registry.snapshot.settled)


def load_tree(registry: PlannedRegistry) -> TracedTree:
    repository = registry.workspace.repository
    return TracedTree(repository, repository.head())


def test_a_shallow_clone_without_blobs_fetches_what_has_changed_and_the_index(
    registry: PlannedRegistry, tmp_path: Path
) -> None:
    former = {
        path: registry.workspace.repository.files("HEAD")[path].oid
        for path in ("experiments/plain.yaml", "experiments/tracked.yaml", "reward/helped.py")
    }
    registry.commit(matrix=MATRIX.replace("[1, 2]\n", "[1, 2, 3]\n"))
    git(registry.folder, "config", "uploadpack.allowFilter", "true")
    git(registry.folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    clone = tmp_path / "clone"
    url = f"file://{registry.folder}"
    options = ("--depth=1", "--no-single-branch", "--filter=blob:none", "--no-checkout")
    git(tmp_path, "clone", "--quiet", *options, url, str(clone))
    git(clone, "checkout", "HEAD", "--", "registry.yaml")
    plan = plan_here(open_workspace(clone), "HEAD").plan
    assert {action.experiment for action in plan.actions} == {"matrix"}
    assert plan.number_of("launch") == 2
    assert plan.number_of("keep") == 8
    here = git(clone, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert not set(former.values()) & set(here)
