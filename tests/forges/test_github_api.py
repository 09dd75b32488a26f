"""Limits obeyed and bounded, faults repeated and bounded, and no token in anything that is said."""

import itertools
import logging
import socket
import time

import pytest
from stand_in_github import GitHub

from runner.errors import OutsideError
from runner.forges import github_api
from runner.forges.base import Status
from runner.forges.github import GitHubForge


def statuses(github: GitHub) -> list[int]:
    return [entry.status for entry in github.log]


@pytest.mark.parametrize("kind", ["secondary_limit", "too_many"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_is_waited_for_as_long_as_it_says(github, forge, kind, method):
    number = github.open_issue()
    github.arm(kind, method=method, path=".*comments", seconds=1)

    began = time.monotonic()
    forge.comment(number, "<!-- a -->", "<!-- a -->")

    assert time.monotonic() - began >= 1
    assert [comment.body for comment in github.state.comments] == ["<!-- a -->"]


@pytest.mark.parametrize("kind", ["secondary_limit", "too_many"])
def test_a_limit_that_is_too_long_ends_at_once_and_says_until_when(github, forge, kind):
    github.arm(kind, seconds=1800)

    began = time.monotonic()
    with pytest.raises(OutsideError, match=r"until \d\d:\d\d:\d\d UTC \(30 min\)"):
        forge.pull_request(1)

    assert time.monotonic() - began < 5
    assert len(github.log) == 1


def test_a_limit_that_never_ends_is_given_up(github, forge):
    github.arm("too_many", times=99, seconds=0)

    with pytest.raises(OutsideError, match="asks to wait"):
        forge.pull_request(1)

    assert statuses(github) == [429] * 4


def test_the_hourly_limit_says_when_it_ends(github, connect, monkeypatch):
    monkeypatch.setattr(github_api, "RETRY_AFTER_LIMIT", -1.0)  # however soon the hour is over
    forge = connect(github.workflow_token(limit=1, pull_requests="read"))
    forge.pull_request(github.open_pull_request("a", files={"a": "1"}).number)

    with pytest.raises(OutsideError, match="its hourly rate limit is used up"):
        forge.pull_request(1)


def test_a_wait_of_some_seconds_is_said(github, forge, monkeypatch, capsys):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    github.arm("too_many", seconds=47)

    forge.open_pull_requests()

    assert capsys.readouterr().err == (
        "GitHub: its secondary rate limit is reached; waiting 47 s\n"
    )


@pytest.mark.parametrize("kind", ["bad_gateway", "reset"])
def test_a_fault_that_passes_is_not_seen(github, forge, kind):
    github.arm(kind, times=3)

    assert forge.open_pull_requests() == ()
    assert len(github.log) == 4


@pytest.mark.parametrize("kind", ["bad_gateway", "reset"])
def test_a_fault_that_stays_is_said(github, forge, kind):
    github.arm(kind, times=99)

    with pytest.raises(OutsideError, match=r"502|no answer from http"):
        forge.open_pull_requests()

    assert len(github.log) == 4


def test_a_server_that_is_not_there(github):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        forge = GitHubForge("o/r", "ghp_secretsecret", url, url)

        with pytest.raises(OutsideError, match="no answer from http") as raised:
            forge.pull_request(1)

    assert "GITHUB_API_URL" in str(raised.value.cure)
    assert "ghp_secretsecret" not in raised.value.message


def test_a_slow_server_is_not_waited_for_for_ever(github, forge, monkeypatch):
    monkeypatch.setattr(github_api, "TIMEOUT", 1)
    monkeypatch.setattr(github_api, "PAUSES", ())
    github.arm("slow", seconds=1.5)

    with pytest.raises(OutsideError, match="ReadTimeout"):
        forge.open_pull_requests()


def test_writes_are_spaced(github, connect, monkeypatch):
    monkeypatch.setattr(github_api, "WRITE_SPACING", 0.3)
    forge = connect()

    forge.set_statuses(Status(github.tip(), f"runner/{n}", "pending", "x") for n in range(3))

    times = [entry.time for entry in github.log if entry.method == "POST"]
    assert all(later - earlier >= 0.3 for earlier, later in itertools.pairwise(times))


def test_80_writes_a_minute_are_not_reached():
    assert 60 / github_api.WRITE_SPACING < 80


def test_what_is_remembered_is_bounded(github, forge, monkeypatch):
    monkeypatch.setattr(github_api, "REMEMBERED_PAGES", 2)
    numbers = [github.open_issue() for _ in range(4)]
    for _ in range(2):
        for number in numbers:
            forge.comment(number, "<!-- a -->", "<!-- a -->")

    assert len(forge._api._remembered) == 2


def test_no_log_holds_the_token(github, connect, caplog):
    token = github.workflow_token("canary", pull_requests="write")
    forge = connect(token)
    number = github.open_issue()
    github.arm("bad_gateway", times=1)
    with caplog.at_level(logging.DEBUG):
        forge.comment(number, "<!-- a -->", "<!-- a -->")

    assert caplog.records
    assert token not in caplog.text
    assert token not in repr(vars(forge)) + repr(forge)
