"""The events that the stand-in for GitHub tells of hold to GitHub's description."""

from __future__ import annotations

import pytest
from github_description import Description
from github_events import Events
from prune import EVENTS
from stand_in_github import GitHub


@pytest.fixture
def registry(github: GitHub) -> GitHub:
    """Return a GitHub whose repository has one commit on main."""
    github.commit({"README.md": "# A registry\n"})
    return github


def test_each_event_holds_to_the_description(registry: GitHub) -> None:
    # Events itself asserts that.
    events, first = Events(registry), registry.tip()
    pull = registry.open_pull_request("a", files={"a.yaml": "1\n"}, author="mona", from_fork=True)
    opened = events.pull_request(pull)["pull_request"]
    assert opened["head"]["repo"]["full_name"] == "mona/registry"
    before = pull.head
    registry.push_to(pull, {"a.yaml": "2\n"})
    changed = events.pull_request(pull, "synchronize", before)
    assert (changed["before"], changed["after"]) == (before, pull.head)
    assert pull.test_merge
    group = events.merge_group(pull.test_merge, first)["merge_group"]
    assert group["head_commit"]["id"] == group["head_sha"] == pull.test_merge
    merged = registry.merge(pull)
    assert events.pull_request(pull, "closed")["pull_request"]["merged"]
    assert events.push(first, merged)["head_commit"]["message"].startswith("Merge pull request #1")
    started = events.dispatch("apply.yml", "octo", verb="rerun", name="a")
    assert (started["inputs"], started["sender"]["login"]) == (
        {"verb": "rerun", "name": "a"},
        "octo",
    )


def test_a_comment_says_whether_it_is_below_a_request(registry: GitHub) -> None:
    events = Events(registry)
    pull, issue = registry.open_pull_request("a", files={"a.yaml": "1\n"}), registry.open_issue()
    below = [
        events.comment(registry.write_comment(number, "/runner help", "mona"))
        for number in (pull.number, issue)
    ]
    assert ["pull_request" in payload["issue"] for payload in below] == [True, False]
    assert {payload["sender"]["login"] for payload in below} == {"mona"}


@pytest.mark.parametrize("event", EVENTS)
def test_a_payload_that_says_nothing_is_caught(event: str) -> None:
    problem = Description("http://127.0.0.1").event_problem(event, {})
    assert "is a required property" in (problem or "")
