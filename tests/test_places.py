"""In a job of CI, what runs leave must lie elsewhere than on the job's disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned_registry import SETTINGS, PlannedRegistry
from real_git import git

from runner.errors import Refused
from runner.places import check_places, is_ci
from runner.workspace import Workspace


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("", False), ("false", False)]
)
def test_ci_says_so_itself(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("CI", value)
    assert is_ci() is expected


def opened(folder: Path, run_store: str, dvc: str) -> Workspace:
    registry = f"{SETTINGS}run_store: {run_store}\n"
    remotes = "".join(
        f"['remote \"{name}\"']\n    url = {dvc}\n" for name in ("data", "checkpoints")
    )
    git(folder, "init", "--quiet")
    return PlannedRegistry.with_files(
        folder, {"registry.yaml": registry, ".dvc/config": remotes}
    ).workspace


def test_buckets_outlive_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    check_places(opened(tmp_path, "s3://bucket/runs", "s3://bucket/dvc"))


@pytest.mark.parametrize(
    ("run_store", "dvc", "named"),
    [
        (".rollbook/store", "s3://bucket/dvc", "run_store of registry.yaml"),
        ("file:///srv/runs", "s3://bucket/dvc", "run_store of registry.yaml"),
        ("s3://bucket/runs", "../remote", "DVC's remote `data`"),
    ],
)
def test_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_store: str, dvc: str, named: str
) -> None:
    workspace = opened(tmp_path, run_store, dvc)
    monkeypatch.delenv("CI", raising=False)
    check_places(workspace)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Refused, match=named) as refused:
        check_places(workspace)
    assert "s3://" in (refused.value.cure or "")
