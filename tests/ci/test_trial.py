"""A trial is of the head that somebody looked at, and of nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from planned_registry import FILES
from real_git import MakeOriginAndClones, commit_files, git

from runner.ci.trial import VARIABLE, fetch_trial, try_request
from runner.errors import Refused
from runner.workspace import open_workspace


def granted(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    trial = {"number": 1, "head": "a" * 40, "name": "a", **changes}
    monkeypatch.setenv(VARIABLE, json.dumps(trial))


@pytest.fixture
def clone(make_origin_and_clones: MakeOriginAndClones) -> Path:
    _origin, (clone,) = make_origin_and_clones(1)
    commit_files(clone, FILES)
    git(clone, "push", "--quiet", "origin", "HEAD:refs/pull/1/head")
    return clone


def test_a_head_that_has_moved_is_not_tried(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    granted(monkeypatch, head=git(clone, "rev-parse", "HEAD"))
    commit_files(clone, {"notes.md": "later"})
    git(clone, "push", "--quiet", "origin", "HEAD:refs/pull/1/head")
    with pytest.raises(Refused, match=r"head is .* now"):
        fetch_trial(open_workspace(clone))


@pytest.mark.parametrize(
    "changes",
    [{"head": "main"}, {"name": "../x"}, {"name": "--help"}, {"number": 0}, {"more": "x"}],
)
def test_what_was_not_granted_so_is_refused(
    clone: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    granted(monkeypatch, **changes)
    with pytest.raises(Refused, match="holds no trial"):
        fetch_trial(open_workspace(clone))


def test_without_a_grant_there_is_no_trial(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(Refused, match="holds no trial"):
        fetch_trial(open_workspace(clone))


def test_nothing_is_tried_that_was_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted(monkeypatch)
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    with pytest.raises(Refused, match="is not there"):
        try_request()


def test_what_was_looked_at_is_laid_out(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted(monkeypatch, head=git(clone, "rev-parse", "HEAD"))
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path / "job"))
    assert fetch_trial(open_workspace(clone)) == 0
    assert (tmp_path / "job/rollbook-trial/registry.yaml").is_file()
