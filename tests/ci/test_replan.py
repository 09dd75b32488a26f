"""Open requests planned again at a GitHub: one that means harm does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from planned_registry import SPEC
from stand_in_github import GitHub

from runner.ci import replan
from runner.errors import EXIT_BUG, EXIT_OUTSIDE, Refused
from runner.workspace import Workspace

NESTED = {"x/dvc.lock": "stages: [1]\n"}
ENDLESS = {"x/a.dvc": "[" * 50_000}
DOTS = {"reward/sums.py": "import a" + ".a" * 40_000 + "\ndef score(solution):\n    return 1.0\n"}


def ask(github: GitHub, name: str, files: dict[str, str] | None = None) -> str:
    """Open a request for one experiment and `files`; return its head."""
    changed = {f"experiments/{name}.yaml": SPEC, **(files or {})}
    return github.open_pull_request(name, files=changed, author="octocat").head


def state(github: GitHub, head: str) -> str:
    """Return the state of the plan's status; empty where there is none."""
    found = github.state.statuses_of(github.repository, head)
    return next((one.state for one in found if one.context == "runner/plan"), "")


def breaking(head: str, how: Callable[[], None]) -> Callable[..., object]:
    """Return what plans a merge, but does `how` where `head` is planned."""
    plan_merge = replan.plan_merge

    def plan(workspace: Workspace, snapshot: object, base: str, asked: str) -> object:
        if asked == head:
            how()
        return plan_merge(workspace, snapshot, base, asked)  # type: ignore[arg-type]

    return plan


def test_requests_that_mean_harm_are_refused_and_the_others_planned(
    github: GitHub, workspace: Workspace
) -> None:
    hostile = [ask(github, f"h{n}", more) for n, more in enumerate((NESTED, ENDLESS))]
    dotted = ask(github, "dotted", DOTS)
    good = ask(github, "good")
    started = time.monotonic()
    assert replan.plan_open_requests(workspace) == 0
    assert time.monotonic() - started < 60
    assert [state(github, head) for head in hostile] == ["failure", "failure"]
    assert (state(github, dotted), state(github, good)) == ("failure", "success")


def test_a_bug_that_one_request_meets_is_said_and_the_others_are_planned(
    github: GitHub,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def meet() -> None:
        raise ValueError("::error::a stranger's text")

    bad, good = ask(github, "bad"), ask(github, "good")
    monkeypatch.setattr(replan, "plan_merge", breaking(bad, meet))
    assert replan.plan_open_requests(workspace) == EXIT_BUG
    assert (state(github, bad), state(github, good)) == ("", "success")
    told = capsys.readouterr().err
    assert "a bug of the runner: ValueError at runner/ci/replan.py:" in told
    assert "stranger" not in told


def test_what_is_refused_is_told_and_is_no_failure_of_ours(
    github: GitHub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise Refused("it cannot be")

    bad, good = ask(github, "bad"), ask(github, "good")
    monkeypatch.setattr(replan, "plan_merge", breaking(bad, refuse))
    assert replan.plan_open_requests(workspace) == 0
    assert (state(github, bad), state(github, good)) == ("failure", "success")


def test_a_request_that_takes_too_long_is_passed_over(
    github: GitHub,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def hang() -> None:
        try:
            time.sleep(60)
        except Exception:  # whatever is caught on the way, its time is over
            time.sleep(60)

    bad, good = ask(github, "bad"), ask(github, "good")
    monkeypatch.setattr(replan, "SECONDS_EACH", 10.0)
    monkeypatch.setattr(replan, "plan_merge", breaking(bad, hang))
    assert replan.plan_open_requests(workspace) == EXIT_OUTSIDE
    assert (state(github, bad), state(github, good)) == ("", "success")
    assert "pull request 1: not planned again: it took more than 10 s" in capsys.readouterr().err


def test_all_together_have_an_end_and_the_rest_is_said(
    github: GitHub,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, *rest = (ask(github, name) for name in ("one", "two", "three"))
    monkeypatch.setattr(replan, "SECONDS", 1.0)
    monkeypatch.setattr(replan, "plan_merge", breaking(first, lambda: time.sleep(60)))
    assert replan.plan_open_requests(workspace) == EXIT_OUTSIDE
    assert [state(github, head) for head in rest] == ["", ""]
    told = capsys.readouterr().err
    assert "stopped after 1 s: pull requests 2, 3 were not planned again" in told
