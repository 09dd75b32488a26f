"""A changed `ledger` or `lineage` launches nothing again, and lifts nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from real_git import MakeOriginAndClones, git

from runner.apply import claim
from runner.errors import Refused
from runner.launchers.local import LocalLauncher
from runner.planning.asked import plan_here

OTHER = f"{SETTINGS}ledger: {{branch: other}}\n"
FOREIGN = f"apiVersion: rollbook/v1\nlineage: {'1b' * 16}\n"
LAX = "policy: {owners: [mallory]}\nsecrets: {'*': [KEY]}\n"


def apply(registry: PlannedRegistry) -> dict[str, str]:
    workspace = registry.workspace
    head = workspace.repository.head()
    plan, _ = claim(workspace, LocalLauncher(workspace.state), head)
    return {action.experiment: action.action for action in plan.whole().actions}


@pytest.fixture
def registry(
    make_origin_and_clones: MakeOriginAndClones, monkeypatch: pytest.MonkeyPatch
) -> PlannedRegistry:
    """Return a registry that has launched one run, at a remote."""
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    _, (clone,) = make_origin_and_clones(1)
    registry = PlannedRegistry.with_files(clone, {"experiments/a.yaml": SPEC})
    assert apply(registry) == {"a": "launch"}
    return registry


@pytest.mark.parametrize("settings", [OTHER, FOREIGN, f"{SETTINGS}ledger: {{remote: null}}\n"])
def test_a_request_that_names_another_ledger_is_refused(
    registry: PlannedRegistry, settings: str
) -> None:
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit({"registry.yaml": settings + LAX})
    git(registry.folder, "switch", "--quiet", "-")
    with pytest.raises(Refused, match=r"names another ledger: runs at origin .* becomes") as told:
        plan_here(registry.workspace, "topic", (), "HEAD")
    assert "docs/policy.md" in str(told.value.cure)


def test_an_empty_ledger_is_refused_while_the_former_is_known(registry: PlannedRegistry) -> None:
    registry.commit({"registry.yaml": OTHER + LAX})
    registry.workspace.ledger.create()
    with pytest.raises(Refused, match="has applied nothing") as refused:
        apply(registry)
    assert "git push origin origin/runs:refs/heads/other" in str(refused.value.cure)
    registry.commit()  # nor later, on top of the change
    with pytest.raises(Refused, match="does not go on from it"):
        apply(registry)


def test_nor_by_a_ledger_in_between(registry: PlannedRegistry) -> None:
    registry.commit({"registry.yaml": f"{SETTINGS}ledger: {{remote: null, branch: mine}}\n"})
    registry.commit({"registry.yaml": OTHER})
    registry.workspace.ledger.create()
    with pytest.raises(Refused, match="does not name runs at origin"):
        apply(registry)


def test_another_lineage_is_refused(registry: PlannedRegistry) -> None:
    registry.commit({"registry.yaml": FOREIGN + "ledger: {branch: other}\n"})
    registry.workspace.ledger.create()
    with pytest.raises(Refused, match="does not go on from it"):
        apply(registry)


def test_a_copied_ledger_goes_on(registry: PlannedRegistry) -> None:
    git(registry.folder, "fetch", "--quiet", "origin")
    git(registry.folder, "push", "--quiet", "origin", "origin/runs:refs/heads/other")
    registry.commit({"registry.yaml": OTHER + LAX}, b=SPEC.replace("steps: 2", "steps: 3"))
    assert apply(registry) == {"a": "keep", "b": "launch"}
    assert apply(registry) == {"a": "keep", "b": "keep"}
    registry.commit(c=SPEC.replace("steps: 2", "steps: 4"))
    assert apply(registry)["c"] == "launch"


def test_a_copy_that_says_something_else_was_applied_is_refused(registry: PlannedRegistry) -> None:
    folder = registry.folder
    branch = git(folder, "branch", "--show-current")
    git(folder, "switch", "--quiet", "--create", "mallory")
    registry.commit({"registry.yaml": OTHER + LAX})
    git(folder, "push", "--quiet", "origin", "HEAD:mallory")
    git(folder, "fetch", "--quiet", "origin")
    git(folder, "push", "--quiet", "origin", "origin/runs:refs/heads/other")
    assert apply(registry) == {"a": "keep"}  # by their own hands, on a branch of their own
    git(folder, "switch", "--quiet", branch)
    registry.commit({"registry.yaml": OTHER})
    with pytest.raises(Refused, match="it was last applied to"):
        apply(registry)


def test_one_that_was_never_used_may_be_left(
    make_origin_and_clones: MakeOriginAndClones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_TRAIN_PYTHON", sys.executable)
    _, (clone,) = make_origin_and_clones(1)
    registry = PlannedRegistry.with_files(clone, {"experiments/a.yaml": SPEC})
    registry.commit({"registry.yaml": OTHER})
    registry.workspace.ledger.create()
    assert apply(registry) == {"a": "launch"}


def test_a_shallow_clone_cannot_tell(registry: PlannedRegistry, tmp_path: Path) -> None:
    registry.commit({"registry.yaml": OTHER})
    registry.commit()
    registry.workspace.ledger.create()
    git(registry.folder, "push", "--quiet", "origin", "HEAD:refs/heads/shallow")
    url = git(registry.folder, "config", "remote.origin.url")
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=shallow", f"file://{url}", "clone")
    with pytest.raises(Refused, match="too shallow"):
        apply(PlannedRegistry(tmp_path / "clone"))
