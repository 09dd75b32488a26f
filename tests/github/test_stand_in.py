"""The stand-in for GitHub refuses what GitHub refuses, and holds itself to GitHub's description."""

from __future__ import annotations

from typing import Any

import github as pygithub
import pytest
import requests
from github_description import Description
from github_operations import OPERATIONS
from prune import OPERATIONS as PRUNED_TO
from stand_in_github import GitHub

WRITES = {"issues": "write", "pull_requests": "write", "statuses": "write"}
COMMENTS = "/issues/{}/comments"


@pytest.fixture
def registry(github: GitHub) -> GitHub:
    """Return a GitHub whose repository has one commit on main."""
    github.commit({"README.md": "# A registry\n", "experiments/a.yaml": "a: 1\n"})
    return github


def ask(github: GitHub, method: str, path: str, token: str = "", **about: Any) -> requests.Response:
    """Ask for `path` below the repository's address, as any program would."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(
        method,
        f"{github.urls.api}/repos/{github.repository.full_name}{path}",
        headers=headers | about.pop("headers", {}),
        timeout=20,
        **about,
    )


def own_account(github: GitHub, token: str) -> requests.Response:
    headers = {"Authorization": f"token {token}"}
    return requests.get(f"{github.urls.api}/user", headers=headers, timeout=20)


def topic(github: GitHub, **about: Any) -> int:
    """Open a pull request and return its number."""
    return github.open_pull_request("topic", files={"experiments/b.yaml": "b: 1\n"}, **about).number


def client(github: GitHub, token: str, **about: Any) -> pygithub.Github:
    waits = {"seconds_between_requests": 0, "seconds_between_writes": 0}
    return pygithub.Github(
        auth=pygithub.Auth.Token(token), base_url=github.urls.api, lazy=True, **waits, **about
    )


# Answers


def test_it_knows_each_operation_of_the_description() -> None:
    described = Description("http://127.0.0.1").operations
    assert described == set(OPERATIONS)
    assert described == {
        (method, path) for path, methods in PRUNED_TO.items() for method in methods
    }


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
    commit.create_status("success", context="runner/plan", description="1 run")
    assert [status.state for status in commit.get_statuses()] == ["success", "pending"]
    combined = commit.get_combined_status()
    assert (combined.state, [s.description for s in combined.statuses]) == ("success", ["1 run"])
    merged = repository.get_commit(registry.merge(pull))
    assert [(p.number, p.merged_at is not None) for p in merged.get_pulls()] == [(1, True)]
    assert account.get_rate_limit().resources.core.limit == 1000
