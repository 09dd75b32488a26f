"""The stand-in for GitHub holds itself, and whoever asks it, to GitHub's description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import github as pygithub
import pytest
from asking import ask, ask_whole, open_topic
from github_call import Answer, Call
from github_description import DOCUMENT, Description
from github_operations import OPERATIONS, Operation
from github_state import Status
from prune import OPERATIONS as PRUNED_TO
from prune import prune
from stand_in_github import GitHub, serving_github
from stand_in_s3 import S3

WRITES = {"issues": "write", "pull_requests": "write", "statuses": "write"}


@pytest.fixture
def registry(github: GitHub) -> GitHub:
    """Return a GitHub whose repository has one commit on main."""
    github.commit({"README.md": "# A registry\n", "experiments/a.yaml": "a: 1\n"})
    return github


def client(github: GitHub, token: str) -> pygithub.Github:
    waits = {"seconds_between_requests": 0, "seconds_between_writes": 0, "retry": None}
    auth = pygithub.Auth.Token(token)
    return pygithub.Github(auth=auth, base_url=github.urls.api, lazy=True, **waits)


# Answers


def test_it_knows_each_operation_of_the_description() -> None:
    described = Description("http://127.0.0.1").operations
    assert described == set(OPERATIONS)
    pruned = {(method, path) for path, methods in PRUNED_TO.items() for method in methods}
    assert described == pruned


def test_the_description_is_what_prune_makes() -> None:
    # Of the pruned one as of the whole one: nobody has edited it, nothing in it is superfluous.
    document = json.loads(DOCUMENT.read_text())
    assert prune(document) == document


def test_every_answer_is_as_pygithub_reads_it(registry: GitHub) -> None:
    pull = registry.open_pull_request("topic", files={"b.yaml": "b: 1\n"}, title="B", author="mona")
    account = client(registry, registry.workflow_token(**WRITES))
    repository = account.get_repo("octo/registry")
    assert (repository.default_branch, repository.clone_url) == ("main", registry.clone_url)
    [listed] = repository.get_pulls()
    found = repository.get_pull(pull.number)
    assert (listed.head.sha, found.head.sha, found.user.login) == (pull.head, pull.head, "mona")
    assert (found.mergeable, found.merged, found.base.ref) == (True, False, "main")
    comment = found.create_issue_comment("hello")
    comment.edit("good bye")
    comment.create_reaction("eyes")
    [comment] = found.get_issue_comments()
    assert (comment.body, comment.user.type) == ("good bye", "Bot")
    assert [reaction.content for reaction in comment.get_reactions()] == ["eyes"]
    commit = repository.get_commit(pull.head)
    commit.create_status("pending", context="runner/plan", description="planning")
    commit.create_status("success", context="Runner/plan", description="1 run")
    assert [status.state for status in commit.get_statuses()] == ["success", "pending"]
    combined = commit.get_combined_status()
    assert (combined.state, [s.description for s in combined.statuses]) == ("success", ["1 run"])
    merged = repository.get_commit(registry.merge(pull))
    assert [(p.number, p.merged_at is not None) for p in merged.get_pulls()] == [(1, True)]
    assert account.get_rate_limit().resources.core.limit == 1000


def test_every_answer_holds_to_the_description(registry: GitHub) -> None:
    # The fixture fails for one that does not; a closed, a merged and a fork's request are in them.
    owner = registry.personal_token("octo")
    merged = registry.open_pull_request("a", files={"a.yaml": "1\n"})
    registry.close(registry.open_pull_request("b", files={"b.yaml": "1\n"}))
    fork = registry.open_pull_request("c", files={"c.yaml": "1\n"}, author="mona", from_fork=True)
    registry.merge(merged)
    issue = registry.open_issue()
    assert len(ask(registry, "GET", "/pulls?state=all&direction=asc", owner).json()) == 3
    for number in (1, 2, 3):
        assert ask(registry, "GET", f"/pulls/{number}", owner).status_code == 200
    comment = ask(registry, "POST", f"/issues/{issue}/comments", owner, json={"body": "hello"})
    path = f"/issues/comments/{comment.json()['id']}"
    assert ask(registry, "GET", path, owner).json() == comment.json()
    heart = {"content": "heart"}
    assert ask(registry, "POST", f"{path}/reactions", owner, json=heart).status_code == 201
    assert ask(registry, "POST", f"{path}/reactions", owner, json=heart).status_code == 200
    assert ask_whole(registry, "GET", "/user", owner).json()["login"] == "octo"
    assert ask_whole(registry, "GET", f"/repos/{fork.head_repository.full_name}").json()["fork"]
    for login, role in (("octo", "admin"), ("mona", "read")):
        found = ask(registry, "GET", f"/collaborators/{login}/permission", owner).json()
        assert (found["permission"], found["role_name"]) == (role, role)
    registry.repository.collaborators["mona"] = "maintain"
    found = ask(registry, "GET", "/collaborators/mona/permission", owner).json()
    assert (found["permission"], found["role_name"]) == ("write", "maintain")
    assert ask(registry, "GET", "/collaborators/nobody/permission", owner).status_code == 404


def test_every_address_in_an_answer_is_its_own(registry: GitHub) -> None:
    answer = ask(registry, "GET", f"/pulls/{open_topic(registry)}").json()

    def addresses(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [found for item in value.values() for found in addresses(item)]
        return [value] if isinstance(value, str) and "://" in value else []

    own = (*registry.urls, f"git://{registry.urls.server.partition('//')[2]}")
    assert [found for found in addresses(answer) if not found.startswith(own)] == []


def test_the_merged_request_of_a_commit_is_found(registry: GitHub) -> None:
    first = registry.tip()
    merged = registry.open_pull_request("a", files={"a.yaml": "1\n"})
    squashed = registry.open_pull_request("b", files={"b.yaml": "1\n"})
    waiting = registry.open_pull_request("c", files={"c.yaml": "1\n"})

    def numbers(commit: str) -> list[int]:
        return [p["number"] for p in ask(registry, "GET", f"/commits/{commit}/pulls").json()]

    assert numbers(merged.head) == [1]  # open, and asks for it
    button, squash = registry.merge(merged), registry.merge(squashed, "squash")
    found = [numbers(commit) for commit in (merged.head, button, squash, waiting.head, first)]
    assert found == [[1], [1], [2], [3], []]
    assert numbers(squashed.head) == []  # not on the default branch, and no longer open
    assert ask(registry, "GET", f"/commits/{'0' * 40}/pulls").status_code == 422


def test_lists_come_in_pages(registry: GitHub) -> None:
    number = open_topic(registry)
    for count in range(5):
        registry.write_comment(number, str(count), "mona")
    path: str | None = f"/issues/{number}/comments?per_page=2"
    seen, pages = [], 0
    while path is not None:
        answer = ask(registry, "GET", path)
        seen += [comment["body"] for comment in answer.json()]
        following = answer.links.get("next")
        path = following["url"].partition("octo/registry")[2] if following else None
        pages += 1
    assert (seen, pages) == (["0", "1", "2", "3", "4"], 3)
    assert set(answer.links) == {"prev", "first"}
    assert ask(registry, "GET", f"/issues/{number}/comments?page=9").json() == []


# What does not fit is caught


def test_a_wrong_answer_is_caught(registry: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(call: Call) -> Answer:
        return Answer(200, call.answers.repository(call.repository) | {"private": "yes"})

    operation = ("get", "/repos/{owner}/{repo}")
    monkeypatch.setitem(OPERATIONS, operation, Operation(wrong))
    assert ask(registry, "GET", "").status_code == 500
    [violation] = registry.violations
    assert "our answer" in violation
    assert "$.private: 'yes' is not of type 'boolean'" in violation

    def unlisted(call: Call) -> Answer:
        return Answer(418, {"message": "I'm a teapot"})

    monkeypatch.setitem(OPERATIONS, operation, Operation(unlisted))
    assert ask(registry, "GET", "").status_code == 500
    assert "418" in registry.violations[1]
    registry.violations.clear()


@pytest.mark.parametrize(
    ("method", "path", "about", "problem"),
    [
        ("POST", "/statuses/{head}", {"json": {"state": "running"}}, "'running' is not one of"),
        ("POST", "/statuses/{head}", {"json": {}}, "'state' is a required property"),
        ("POST", "/statuses/{head}", {"data": b"{"}, "DeserializeError"),
        ("POST", "/statuses/{head}", {"json": {"state": "error", "name": "x"}}, "name"),
        ("POST", "/issues/1/comments", {"json": {"body": 3}}, "3 is not of type 'string'"),
        ("POST", "/issues/1/comments", {}, "RequiredRequestBody"),
        ("GET", "/pulls?state=merged", {}, "'merged' is not one of"),
        ("GET", "/pulls?stat=all", {}, "not in the description: stat"),
        ("GET", "/pulls?per_page=many", {}, "per_page"),
        ("GET", "/pulls?per_page=101", {}, "at most 100"),
        ("GET", "/pulls/one", {}, "pull_number"),
        ("GET", "/pulls/1/files", {}, "does not know this operation"),
        ("DELETE", "/pulls/1", {}, "does not know this operation"),
    ],
)
def test_a_wrong_request_is_caught(
    registry: GitHub, method: str, path: str, about: dict[str, Any], problem: str
) -> None:
    open_topic(registry)
    head = registry.state.pulls[0].head
    token = registry.workflow_token(**WRITES)
    about = about | {"headers": {"Content-Type": "application/json"}}
    answer = ask(registry, method, path.format(head=head), token, **about)
    assert answer.status_code == 500
    [violation] = registry.violations
    assert problem in violation
    registry.violations.clear()
    assert registry.state.statuses == registry.state.comments == []


@pytest.mark.parametrize(
    ("path", "at_limit", "over"),
    [
        ("/statuses/{head}", {"description": "ü" * 140}, {"description": "ü" * 141}),
        ("/statuses/{head}", {"context": "c" * 255}, {"context": "c" * 256}),
        ("/issues/1/comments", {"body": "b" * 65_536}, {"body": "b" * 65_537}),
    ],
)
def test_what_is_too_long_is_refused_and_caught(
    registry: GitHub, path: str, at_limit: dict[str, str], over: dict[str, str]
) -> None:
    open_topic(registry)
    path = path.format(head=registry.state.pulls[0].head)
    state = {"state": "success"} if "statuses" in path else {}
    token = registry.workflow_token(**WRITES)
    assert ask(registry, "POST", path, token, json=state | at_limit).status_code == 201
    assert registry.violations == []
    assert ask(registry, "POST", path, token, json=state | over).status_code == 422
    [violation] = registry.violations
    assert "is too long (maximum is" in violation
    registry.violations.clear()


def test_the_1001st_status_of_a_context_is_refused(registry: GitHub) -> None:
    head, token = registry.tip(), registry.workflow_token(statuses="write")
    person, repository = registry.state.person("octo"), registry.repository
    registry.state.statuses += [
        Status(number, repository, head, "runner/plan", "pending", None, None, person)
        for number in range(999)
    ]
    body = {"state": "success", "context": "Runner/Plan"}
    codes = [ask(registry, "POST", f"/statuses/{head}", token, json=body).status_code for _ in "ab"]
    assert codes == [201, 422]
    assert ask(registry, "POST", f"/statuses/{head}", token, json={"state": "success"}).ok


def test_the_fixture_fails_for_a_violation(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="/pulls/1/files"), serving_github(tmp_path) as github:
        ask(github, "GET", "/pulls/1/files")


# S3


def test_a_bucket_begins_empty(s3: S3) -> None:
    assert s3.keys() == []
    s3.client().put_object(Bucket=s3.bucket, Key="runs/a", Body=b"1")
    assert s3.keys() == ["runs/a"]


def test_s3fs_reaches_it_by_the_environment(s3: S3) -> None:
    import fsspec

    assert s3.keys() == []
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.pipe_file(f"{s3.bucket}/runs/b", b"2")
    assert s3.keys() == ["runs/b"]
