"""Answers that GitHub gives seldom, and the stand-in for it never."""

import json
import time

import pytest

from runner.errors import OutsideError
from runner.forges.base import NotPermitted
from runner.forges.github import _pull_request
from runner.forges.github_answers import (
    SECONDARY_WAIT,
    Answer,
    Request,
    Unknown,
    Unsettled,
    check,
    limit_of,
)

READ = Request("GET", "/repos/o/r/pulls", "pull-requests: read", "the pull requests")
WRITE = Request("POST", "/repos/o/r/statuses/1", "statuses: write", "the statuses of 1")
PRIMARY = "API rate limit exceeded for installation ID 1."


def answer(status: int, message: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, json.dumps({"message": message}))


def test_the_hourly_limit_lasts_until_its_reset():
    soon = str(int(time.time()) + 600)
    found = limit_of(answer(403, PRIMARY, x_ratelimit_remaining="0", x_ratelimit_reset=soon))

    assert found is not None
    assert 598 < found.seconds <= 601


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (answer(403, PRIMARY, x_ratelimit_reset="1"), 0),
        (answer(403, PRIMARY), SECONDARY_WAIT),
        (answer(429, "Too many", retry_after="7"), 7),
        (answer(429), SECONDARY_WAIT),
        (answer(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), SECONDARY_WAIT),
        (answer(403, "You have exceeded a secondary rate limit. Wait."), SECONDARY_WAIT),
        (Answer(429, {}, "<html>"), SECONDARY_WAIT),
    ],
)
def test_how_long_a_limit_lasts(given, seconds):
    found = limit_of(given)

    assert found is not None
    assert found.seconds == seconds


@pytest.mark.parametrize(
    "given",
    [
        # the last request of the hour is no refusal for the rate
        answer(403, "Resource not accessible by integration", x_ratelimit_remaining="0"),
        answer(200),
        answer(404, "Not Found"),
        answer(503, "", retry_after="5"),
    ],
)
def test_what_is_no_limit(given):
    assert limit_of(given) is None


@pytest.mark.parametrize(
    ("given", "request_", "kind", "said"),
    [
        (answer(307, "Moved"), WRITE, OutsideError, "GITHUB_REPOSITORY to its new name"),
        (answer(403, "Repository was archived"), WRITE, NotPermitted, "`statuses: write`"),
        (answer(404, "Not Found"), WRITE, NotPermitted, "either it is not there, or"),
        (answer(404, "Not Found"), READ, Unknown, "None"),
        (answer(410, "Issues are disabled"), READ, Unknown, "None"),
        (answer(422, "Validation Failed"), WRITE, Unknown, "None"),
        (Answer(502, {}, "<html>Unicorn</html>"), READ, Unsettled, "githubstatus.com"),
    ],
)
def test_what_a_bad_answer_means(given, request_, kind, said):
    with pytest.raises(kind) as raised:
        check(given, request_, "o/r")

    assert type(raised.value) is kind
    assert said in str(raised.value.cure)


def test_the_words_of_github_are_in_the_message():
    text = {
        "message": "Validation Failed",
        "errors": [{"message": "too\nlong"}, "odd", {"code": 1}],
    }

    with pytest.raises(Unknown, match=r"422 \(Validation Failed: too long: odd\) when told to"):
        check(Answer(422, {}, json.dumps(text)), WRITE, "o/r")


@pytest.mark.parametrize("text", ["", "[]", "<html>", '"x"', '{"message": null}', '{"errors": 3}'])
def test_a_fault_without_words(text):
    assert Answer(500, {}, text).message == ""


def test_what_is_no_document():
    assert Answer(204, {}, "").content is None
    with pytest.raises(Unsettled, match="no JSON"):
        _ = Answer(200, {}, "{<html>").content


def test_the_request_of_a_deleted_fork_by_a_deleted_person():
    pull = {
        "number": 3,
        "user": None,
        "head": {"sha": "1" * 40, "ref": "topic", "repo": None},
        "base": {"sha": "2" * 40, "ref": "main", "repo": {"id": 1}},
    }

    found = _pull_request(pull)

    assert (found.from_fork, found.author) == (True, "ghost")
