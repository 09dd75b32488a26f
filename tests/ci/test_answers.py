"""What is said of requests and comments: no longer than a forge takes, as text without orders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stand_in_github import GitHub

from runner.ci import command
from runner.ci.deploy import Result
from runner.ci.request import plan_event
from runner.errors import EXIT_REFUSED, OutsideError
from runner.forges.base import COMMENT_LIMIT
from runner.policy.secrecy import redactor
from runner.registry import Registry
from runner.report.markdown import to_markdown
from runner.workspace import Workspace

FORGED = "data/x\n::error::forged\n##[error]forged"
"""A path in git."""


@pytest.fixture
def happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that leaves an event as GitHub Actions does."""

    def leave(name: str, **payload: object) -> None:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(payload))
        monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))

    return leave


def test_a_conflict_in_a_path_that_gives_orders_is_text(
    github: GitHub,
    workspace: Workspace,
    happened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    github.commit({FORGED: "base\n"})
    pull = github.open_pull_request("topic", files={FORGED: "theirs\n"})
    github.commit({FORGED: "ours\n"})
    happened("pull_request", pull_request=github.answers.whole_pull(pull))
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert plan_event(workspace, None) == EXIT_REFUSED
    printed = capsys.readouterr()
    path = r"data/x\n: :error: :forged\n## [error]forged"
    assert f"conflicts with {github.tip()[:12]} in {path}\n" in printed.err
    # On two streams here: in between, nothing else was printed to this one.
    stopped, between, ended = printed.out.splitlines()[-3:]
    assert (between, ended) == ("", f"::{stopped.removeprefix('::stop-commands::')}::")
    assert len(stopped) > len("::stop-commands::")


def asked(github: GitHub, happened, body: str) -> int:
    """Write a comment as the owner does; return its pull request."""
    pull = github.open_pull_request("topic", files={"notes.md": "words"})
    comment = github.write_comment(pull.number, body, "octo")
    happened(
        "issue_comment",
        action="created",
        issue={"number": pull.number, "pull_request": {}},
        comment=github.answers.comment(github.repository, comment),
    )
    return pull.number


@pytest.mark.parametrize(
    "line", ["abc012: launched", "*<&_" * 300, "x" * 100_000, "\N{GRINNING FACE}" * 1500]
)
def test_an_answer_is_as_long_as_the_forge_takes(
    github: GitHub, workspace: Workspace, happened, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    number = asked(github, happened, "/runner launch everything")
    many = Result((line,) * 5000, 0)
    monkeypatch.setattr(command, "perform", lambda *_: many)
    assert command.answer_comment(workspace) == 0
    answer = github.state.comments_of(number)[-1].body
    assert COMMENT_LIMIT - 20_000 < len(answer.encode()) <= COMMENT_LIMIT
    *told, more = answer.strip().split("\n\n")
    assert more == f"… and {5000 - len(told):,} more"


def test_a_short_answer_is_whole(
    github: GitHub, workspace: Workspace, happened, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = asked(github, happened, "/runner launch a")
    monkeypatch.setattr(command, "perform", lambda *_: Result(("one", "two"), 0))
    assert command.answer_comment(workspace) == 0
    assert github.state.comments_of(number)[-1].body.strip() == "one\n\ntwo"


def test_an_unknown_command_of_any_length_is_answered(
    github: GitHub, workspace: Workspace, happened
) -> None:
    number = asked(github, happened, f"/runner launch {'a' * 60_000}")
    assert command.answer_comment(workspace) == EXIT_REFUSED
    assert len(github.state.comments_of(number)[-1].body.encode()) <= COMMENT_LIMIT


def test_a_secret_whose_signs_markdown_escapes_is_cleared_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "_se*cret|with`signs$_"
    monkeypatch.setenv("GITHUB_TOKEN", secret)
    settings = {"apiVersion": "rollbook/v1", "lineage": "0a" * 16}
    clear = redactor(Registry.model_validate(settings)).text
    answer = to_markdown(command._failed(OutsideError(f"403 for {secret}", cure=secret), clear))
    assert answer.count("\\*\\*\\*") == 2
    assert "cret" not in answer
