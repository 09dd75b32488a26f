"""What merging changes: the plan of the merged files, less what the base plans anyway."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_registry import SPEC, PlannedRegistry
from real_git import git

from runner.errors import InvalidSpec, Refused
from runner.planning.asked import plan_here
from runner.planning.planned import Planned


@pytest.fixture
def registry(tmp_path: Path) -> PlannedRegistry:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    registry = PlannedRegistry.with_files(tmp_path, {})
    registry.commit(before=SPEC)
    return registry


def merging(registry: PlannedRegistry, only: tuple[str, ...] = ()) -> Planned:
    return plan_here(registry.workspace, "topic", only, "main")


def test_only_what_the_request_changes_is_planned(registry: PlannedRegistry) -> None:
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit(mine=SPEC.replace("steps: 2", "steps: 3"))
    git(registry.folder, "switch", "--quiet", "main")
    registry.commit(meanwhile=SPEC.replace("steps: 2", "steps: 4"))
    plan = merging(registry).plan
    assert [(one.experiment, one.action) for one in plan.actions] == [("mine", "launch")]
    assert plan.base == git(registry.folder, "rev-parse", "main")
    assert plan.head == git(registry.folder, "rev-parse", "topic")
    assert merging(registry, ("mine",)).plan.actions == plan.actions


def test_the_digest_moves_only_when_the_base_moves_in_a_way_that_matters(
    registry: PlannedRegistry,
) -> None:
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    same = SPEC.replace("steps: 2", "steps: 3")
    registry.commit(mine=same)
    git(registry.folder, "switch", "--quiet", "main")
    first = merging(registry).plan.digest
    registry.commit({"notes.md": "words"}, other=SPEC.replace("steps: 2", "steps: 4"))
    assert merging(registry).plan.digest == first
    registry.commit(theirs=same)  # the very run that `mine` asks for
    assert merging(registry).plan.digest != first


def test_a_conflict_names_the_files(registry: PlannedRegistry) -> None:
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit(before=SPEC.replace("steps: 2", "steps: 3"))
    git(registry.folder, "switch", "--quiet", "main")
    registry.commit(before=SPEC.replace("steps: 2", "steps: 4"))
    with pytest.raises(Refused, match=r"conflicts with .* in experiments/before\.yaml"):
        merging(registry)


def test_paths_of_a_conflict_are_on_one_line_and_not_too_long(registry: PlannedRegistry) -> None:
    paths = ("a\n::error::x\u202e", "b/" + "y" * 250, "##[error]")
    registry.commit(dict.fromkeys(paths, "base\n"))
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit(dict.fromkeys(paths, "theirs\n"))
    git(registry.folder, "switch", "--quiet", "main")
    registry.commit(dict.fromkeys(paths, "ours\n"))
    with pytest.raises(Refused, match="conflicts with") as caught:
        merging(registry)
    assert r" in ## [error], a\n: :error: :x\u202e, b/yyy" in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


def test_settings_that_cannot_be_read_refuse_the_whole(registry: PlannedRegistry) -> None:
    git(registry.folder, "switch", "--quiet", "--create", "topic")
    registry.commit({"registry.yaml": "apiVersion: rollbook/v1\nlinage: x\n"})
    git(registry.folder, "switch", "--quiet", "main")
    with pytest.raises(InvalidSpec) as refused:
        merging(registry)
    assert refused.value.findings[0].path == "registry.yaml"
