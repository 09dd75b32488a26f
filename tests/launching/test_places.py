"""What runs read and leave must lie where their machines reach it, and outlive a job of CI."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from planned_registry import SETTINGS, PlannedRegistry
from real_git import git

from runner.errors import Refused
from runner.launchers.local import LocalLauncher
from runner.launchers.skypilot import SkyPilotLauncher
from runner.launching.places import check_places, is_ci
from runner.storage.store import resolve_location
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
    workspace = opened(tmp_path, "s3://bucket/runs", "s3://bucket/dvc")
    check_places(workspace, LocalLauncher(tmp_path))


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
    check_places(workspace, LocalLauncher(tmp_path))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Refused, match=named) as refused:
        check_places(workspace, LocalLauncher(tmp_path))
    assert "s3://" in (refused.value.cure or "")


@pytest.mark.parametrize(
    ("run_store", "dvc", "why"),
    [
        ("s3://bucket/runs", "s3://bucket/dvc", None),
        ("file:///srv/runs", "s3://bucket/dvc", None),
        ("file:///srv/runs", "/srv/dvc", None),
        (".rollbook/store", "s3://bucket/dvc", "run_store of registry.yaml is the folder"),
        ("/srv/runs", "s3://bucket/dvc", "run_store of registry.yaml is the folder"),
        ("s3://bucket/runs", "/srv/dvc", "DVC's remote `data` is the folder /srv/dvc"),
        ("file:///srv/runs", "../remote", "DVC's remote `data` is a folder of this clone"),
    ],
)
def test_skypilots_machines_have_no_folder_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_store: str, dvc: str, why: str | None
) -> None:
    monkeypatch.delenv("CI", raising=False)
    workspace = opened(tmp_path, run_store, dvc)
    launcher = SkyPilotLauncher(workspace)
    with pytest.raises(Refused, match=why) if why else contextlib.nullcontext():
        check_places(workspace, launcher)


def test_a_job_of_ci_needs_an_api_server_that_outlives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = opened(tmp_path, "s3://bucket/runs", "s3://bucket/dvc")
    launcher = SkyPilotLauncher(workspace)
    monkeypatch.delenv("SKYPILOT_API_SERVER_ENDPOINT", raising=False)
    monkeypatch.delenv("CI", raising=False)
    check_places(workspace, launcher)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Refused, match="is this machine's own") as refused:
        check_places(workspace, launcher)
    assert "SKYPILOT_API_SERVER_ENDPOINT" in (refused.value.cure or "")
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", "http://me:open-sesame@localhost:46580")
    with pytest.raises(Refused, match="http://localhost:46580 is this machine's own"):
        check_places(workspace, launcher)
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", "https://sky.example.com")
    check_places(workspace, launcher)


def test_a_shared_path_reaches_a_node_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "shared").symlink_to(tmp_path / "here")
    assert (
        resolve_location(f"file://{tmp_path}/shared/runs/", tmp_path) == f"{tmp_path}/shared/runs"
    )
    assert resolve_location("shared/runs", tmp_path) == f"{tmp_path}/here/runs"
