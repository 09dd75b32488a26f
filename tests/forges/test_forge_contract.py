"""What every forge keeps to, whichever it is."""

import subprocess
import sys

import pytest

from runner.forges import FORGES, github_settings
from runner.forges.base import Forge, PullRequest, Status
from runner.registry import Registry
from runner.workspace import open_workspace

MARKER = "<!-- rollbook:plan:v1 "


@pytest.fixture(params=sorted(FORGES))
def any_forge(request, github, make_repository, monkeypatch) -> Forge:
    token = github.workflow_token(statuses="write", pull_requests="write", contents="read")
    monkeypatch.setenv("GITHUB_TOKEN", token)
    monkeypatch.setenv("GITHUB_REPOSITORY", github.repository.full_name)
    monkeypatch.setenv("GITHUB_API_URL", github.urls.api)
    monkeypatch.setenv("GITHUB_SERVER_URL", github.urls.server)
    github_settings._say_once.cache_clear()
    settings = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\nforge: {request.param}\n"
    workspace = open_workspace(make_repository("here", {"registry.yaml": settings}))
    forge = FORGES[request.param](workspace)
    assert forge.name == request.param
    return forge


def test_the_table_has_what_a_registry_may_name():
    named = Registry.model_fields["forge"].annotation.__args__

    assert set(FORGES) == set(named)


def test_every_member_answers(any_forge, github):
    opened = github.open_pull_request("topic", files={"a": "1"}, author="ada")
    status = Status(opened.head, "runner/plan", "success", "Nothing to do")

    assert any_forge.set_statuses([status, status]) is None
    assert any_forge.set_statuses(iter([status])) is None
    assert any_forge.comment(opened.number, MARKER, f"{MARKER}x -->\ntext") is None
    assert any_forge.own_comment(opened.number, MARKER) in {None, f"{MARKER}x -->\ntext"}
    assert any_forge.own_comment(opened.number, "<!-- other ") is None
    assert any_forge.reply(opened.number, "done") is None
    known = PullRequest(opened.number, opened.head, "main", from_fork=False, author="ada")
    assert any_forge.pull_request(opened.number) in {None, known}
    assert any_forge.open_pull_requests() in {(), (known,)}
    merged = github.merge(opened)
    assert any_forge.merged_by(merged) in {None, opened.number}
    assert any_forge.login() in {None, "github-actions[bot]"}
    link = any_forge.link(merged, "experiments/a.yaml", 3)
    assert link == "" or link.startswith("http")


def test_what_is_not_there_is_no_error(any_forge):
    assert any_forge.pull_request(4711) is None
    assert any_forge.merged_by("0" * 40) is None
    assert any_forge.open_pull_requests() == ()


def test_a_stranger_may_not_write(any_forge, github):
    github.state.person("mallory")

    assert any_forge.may_write("mallory") is False
    assert any_forge.may_write("") is False


def test_saying_it_twice_is_saying_it_once(any_forge, github):
    opened = github.open_pull_request("topic", files={"a": "1"})
    for _ in range(2):
        any_forge.set_statuses([Status(opened.head, "runner/plan", "pending", "x")])
        any_forge.comment(opened.number, MARKER, f"{MARKER}x -->\ntext")

    assert len(github.state.statuses) <= 1
    assert len(github.state.comments) <= 1


def test_no_forge_is_loaded_before_it_is_asked():
    code = (
        "import sys, runner.forges, runner.forges.github, runner.forges.toolkit\n"
        "print(sorted({'github', 'requests', 'actions_toolkit'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "[]\n"
