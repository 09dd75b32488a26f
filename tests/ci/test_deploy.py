"""Who lifts what in a job of CI, and of which commit; on a real ledger, up to the launch itself."""

from __future__ import annotations

import pytest
from planned_registry import SETTINGS, SPEC, PlannedRegistry
from real_git import MakeOriginAndClones, git

from runner.ci.deploy import perform
from runner.errors import OutsideError

HELD = SPEC + "resources: {accelerators: 'H100:8'}\n"
POLICY = f"{SETTINGS}forge: github\npolicy: {{gpus_at_once: 4, owners: [alice]}}\n"
LIFTED = "the training environment's Python is not there"
"""What a launch fails with here that no ceiling stops."""


@pytest.fixture
def registry(
    make_origin_and_clones: MakeOriginAndClones, monkeypatch: pytest.MonkeyPatch
) -> PlannedRegistry:
    for name in ("GITHUB_RUN_ATTEMPT", "GITHUB_TOKEN", "GH_TOKEN", "RUNNER_TRAIN_PYTHON", "CI"):
        monkeypatch.delenv(name, raising=False)
    _, (clone,) = make_origin_and_clones(1)
    files = {"registry.yaml": POLICY, "experiments/a.yaml": HELD}
    registry = PlannedRegistry.with_files(clone, files)
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    return registry


def launch(registry: PlannedRegistry, login: str) -> str:
    try:
        return " ".join(perform(registry.workspace, "launch", "a", login).lines)
    except OutsideError as error:
        return error.message


@pytest.mark.parametrize("attempt", [None, "1"])
def test_an_owner_lifts_a_ceiling_by_asking(
    registry: PlannedRegistry, monkeypatch: pytest.MonkeyPatch, attempt: str | None
) -> None:
    if attempt:
        monkeypatch.setenv("GITHUB_RUN_ATTEMPT", attempt)
    assert LIFTED in launch(registry, "alice")
    assert "a: hold" in launch(registry, "bob")


def test_a_job_that_is_run_again_lifts_none(
    registry: PlannedRegistry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    assert "a: hold" in launch(registry, "alice")
    assert "no ceiling is lifted before alice asks anew" in capsys.readouterr().err


def test_an_older_commit_retries_nothing(registry: PlannedRegistry) -> None:
    registry.commit(b=SPEC)
    [run_id] = registry.run(outcome="failed")
    git(registry.folder, "switch", "--quiet", "--detach")
    registry.commit()
    git(registry.folder, "push", "--quiet", "origin", "HEAD:main")
    git(registry.folder, "checkout", "--quiet", "HEAD^")
    done = perform(registry.workspace, "retry", run_id, "alice")
    assert done.lines[0].startswith("superseded by ")
    assert registry.snapshot.find(run_id).latest.number == 1
