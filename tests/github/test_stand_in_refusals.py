"""The stand-in for GitHub refuses what GitHub refuses, and fails as GitHub fails."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from asking import ask, ask_whole, open_topic
from stand_in_github import GitHub

WRITES = {"issues": "write", "pull_requests": "write", "statuses": "write"}
HELLO = {"body": "hello"}
NOT_BY_INTEGRATION = "Resource not accessible by integration"


@pytest.fixture
def registry(github: GitHub) -> GitHub:
    """Return a GitHub whose repository has one commit on main, and pull request 1."""
    github.commit({"README.md": "# A registry\n"})
    open_topic(github)
    return github


def answer(found: requests.Response) -> tuple[int, str]:
    return found.status_code, found.json().get("message", "")


# Tokens


def test_a_forks_token_reads_and_does_not_write(registry: GitHub) -> None:
    token, head = registry.fork_token(), registry.tip()
    written = registry.write_comment(1, "mine", "mona")
    writes: list[tuple[str, str, Any]] = [
        ("POST", f"/statuses/{head}", {"state": "success"}),
        ("POST", "/issues/1/comments", HELLO),
        ("PATCH", f"/issues/comments/{written.id}", HELLO),
        ("POST", f"/issues/comments/{written.id}/reactions", {"content": "eyes"}),
    ]
    for method, path, body in writes:
        found = ask(registry, method, path, token, json=body)
        assert answer(found) == (403, NOT_BY_INTEGRATION)
    assert found.headers["x-accepted-github-permissions"] == "issues=write; pull_requests=write"
    assert ask(registry, "GET", "/issues/1/comments", token).json()[0]["body"] == "mine"
    assert (written.body, registry.state.statuses) == ("mine", [])


def test_each_permission_stands_for_itself(registry: GitHub) -> None:
    status, comment = f"/statuses/{registry.tip()}", "/issues/1/comments"
    only_status = registry.workflow_token(statuses="write")
    only_comments = registry.workflow_token(pull_requests="write")
    assert ask(registry, "POST", status, only_status, json={"state": "error"}).ok
    assert ask(registry, "POST", comment, only_status, json=HELLO).status_code == 403
    assert ask(registry, "POST", comment, only_comments, json=HELLO).ok
    assert ask(registry, "POST", status, only_comments, json={"state": "error"}).status_code == 403


def test_a_workflow_writes_to_its_own_repository(registry: GitHub) -> None:
    fork, status = registry.fork("mona"), {"state": "success"}
    path = f"/repos/{fork.full_name}/statuses/{registry.tip()}"
    own = registry.workflow_token(statuses="write", repository=fork)
    other = registry.workflow_token(statuses="write")
    codes = [ask_whole(registry, "POST", path, t, json=status).status_code for t in (other, own)]
    assert codes == [403, 201]
    assert ask(registry, "POST", f"/statuses/{registry.tip()}", own, json=status).status_code == 403
    assert ask(registry, "GET", f"/commits/{registry.tip()}/statuses").json() == []


def test_who_one_is_a_workflow_is_not_told(registry: GitHub) -> None:
    workflow = registry.workflow_token(**WRITES)
    assert answer(ask_whole(registry, "GET", "/user", workflow)) == (403, NOT_BY_INTEGRATION)
    assert ask_whole(registry, "GET", "/user", registry.personal_token("mona")).ok
    assert ask_whole(registry, "GET", "/user").status_code == 401
    assert answer(ask_whole(registry, "GET", "/user", "ghp_wrong")) == (401, "Bad credentials")


def test_a_comment_says_who_wrote_it(registry: GitHub) -> None:
    for token in (registry.workflow_token(issues="write"), registry.personal_token("mona")):
        ask(registry, "POST", "/issues/1/comments", token, json=HELLO)
    bot, person = ask(registry, "GET", "/issues/1/comments").json()
    assert (bot["user"]["login"], bot["user"]["type"]) == ("github-actions[bot]", "Bot")
    assert bot["performed_via_github_app"]["slug"] == "github-actions"
    assert (person["user"]["login"], person["user"]["type"]) == ("mona", "User")
    assert person["performed_via_github_app"] is None


def test_a_stranger_edits_only_what_is_theirs(registry: GitHub) -> None:
    token = registry.personal_token("mona")
    mine, other = (registry.write_comment(1, "x", login) for login in ("mona", "octo"))
    assert ask(registry, "PATCH", f"/issues/comments/{mine.id}", token, json=HELLO).ok
    refused = ask(registry, "PATCH", f"/issues/comments/{other.id}", token, json=HELLO)
    assert answer(refused) == (403, "Must have admin rights to Repository.")
    assert (mine.body, other.body) == ("hello", "x")
    asked = ask(registry, "GET", "/collaborators/octo/permission", token)
    assert asked.status_code == 403
    status = {"state": "success"}
    assert (
        ask(registry, "POST", f"/statuses/{registry.tip()}", token, json=status).status_code == 404
    )


def test_a_private_repository_is_read_by_permission(registry: GitHub) -> None:
    registry.repository.private = True
    stranger, nothing = registry.personal_token("stranger"), registry.workflow_token()
    reader = registry.workflow_token(pull_requests="read")
    assert ask(registry, "GET", "/pulls", stranger).status_code == 404
    assert answer(ask(registry, "GET", "/pulls", nothing)) == (403, NOT_BY_INTEGRATION)
    assert ask(registry, "GET", "/pulls", reader).ok
    assert ask(registry, "GET", "", stranger).status_code == 404
    assert ask(registry, "GET", "").status_code == 404


def test_what_is_not_there(registry: GitHub) -> None:
    token = registry.workflow_token(**WRITES)
    absent = "0" * 40
    for path in (
        "/pulls/9",
        "/issues/9/comments",
        "/issues/comments/9",
        f"/commits/{absent}/status",
    ):
        assert answer(ask(registry, "GET", path, token)) == (404, "Not Found")
    found = ask(registry, "POST", f"/statuses/{absent}", token, json={"state": "success"})
    assert answer(found) == (422, f"No commit found for SHA: {absent}")
    relative = {"state": "success", "target_url": "runs/1"}
    assert (
        ask(registry, "POST", f"/statuses/{registry.tip()}", token, json=relative).status_code
        == 422
    )
    assert ask(registry, "POST", "/issues/1/comments", token, json={"body": " "}).status_code == 422
    assert ask_whole(registry, "GET", "/repos/octo/other", token).status_code == 404


# Limits


def test_a_list_that_has_not_changed_costs_nothing(registry: GitHub) -> None:
    token = registry.workflow_token(issues="write")
    first = ask(registry, "GET", "/issues/1/comments", token)
    known = {"If-None-Match": first.headers["etag"]}
    again = ask(registry, "GET", "/issues/1/comments", token, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["x-ratelimit-used"] == first.headers["x-ratelimit-used"] == "1"
    registry.write_comment(1, "new", "mona")
    changed = ask(registry, "GET", "/issues/1/comments", token, headers=known)
    assert (changed.status_code, changed.headers["x-ratelimit-remaining"]) == (200, "998")


def test_no_more_than_the_limit(registry: GitHub) -> None:
    token = registry.workflow_token(limit=2)
    codes = [ask(registry, "GET", "/pulls", token).status_code for _ in range(3)]
    assert codes == [200, 200, 403]
    found = ask_whole(registry, "GET", "/rate_limit", token)
    assert found.json()["resources"]["core"]["remaining"] == 0
    refused = ask(registry, "GET", "/pulls", token)
    assert "API rate limit exceeded" in refused.json()["message"]
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(refused.headers["x-ratelimit-reset"]) - time.time() <= 3600


# Faults


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("secondary_limit", 403, "secondary rate limit"),
        ("too_many", 429, "secondary rate limit"),
        ("bad_gateway", 502, "Server Error"),
    ],
)
def test_a_fault_is_answered_so_often(
    registry: GitHub, kind: str, status: int, message: str
) -> None:
    token = registry.workflow_token(**WRITES)
    registry.arm(kind, method="POST", path=".*/comments", times=2, seconds=7)
    assert ask(registry, "GET", "/issues/1/comments", token).ok
    found = [ask(registry, "POST", "/issues/1/comments", token, json=HELLO) for _ in range(3)]
    assert [one.status_code for one in found] == [status, status, 201]
    assert message in found[0].json()["message"]
    assert found[0].headers.get("retry-after") == (None if status == 502 else "7")
    assert len(registry.state.comments) == 1


@pytest.mark.parametrize(("kind", "done"), [("reset", 0), ("lost", 1)])
def test_a_cut_connection(registry: GitHub, kind: str, done: int) -> None:
    token = registry.workflow_token(**WRITES)
    registry.arm(kind, method="POST")
    with pytest.raises(requests.ConnectionError):
        ask(registry, "POST", "/issues/1/comments", token, json=HELLO)
    assert len(registry.state.comments) == done
    assert registry.log[-1].status == (201 if done else 0)


def test_a_slow_answer_holds_up_nobody_else(registry: GitHub) -> None:
    registry.arm("slow", path=".*/pulls", seconds=1.5)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{registry.urls.api}/repos/octo/registry/pulls", timeout=0.2)
    before = time.monotonic()
    assert ask(registry, "GET", "").ok
    assert time.monotonic() - before < 1.2


def test_the_log_tells_who_asked_what(registry: GitHub) -> None:
    token = registry.workflow_token("plan", **WRITES)
    ask(registry, "GET", "/pulls?state=all", token)
    ask(registry, "POST", "/issues/1/comments", token, json=HELLO)
    ask(registry, "GET", "/pulls", "wrong")
    ask(registry, "GET", "/pulls")
    found = [(entry.method, entry.path, entry.token, entry.status) for entry in registry.log]
    root = "/repos/octo/registry"
    assert found == [
        ("GET", f"{root}/pulls?state=all", "plan", 200),
        ("POST", f"{root}/issues/1/comments", "plan", 201),
        ("GET", f"{root}/pulls", "", 401),
        ("GET", f"{root}/pulls", "nobody", 200),
    ]
    assert registry.log[1].body == HELLO
    assert [e.time for e in registry.log] == sorted(entry.time for entry in registry.log)
