"""What GitHub's answers mean: done, not there, not permitted, wait, or a fault of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.errors import OutsideError
from runner.forges.base import NotPermitted

NOT_MODIFIED = 304
SECONDARY_WAIT = 60.0
"""Seconds to wait at a secondary limit that says no time: GitHub's documentation, "at least one
minute"."""


class Unknown(OutsideError):
    """What was asked for is not there, or GitHub does not take what was sent (404, 409, 422)."""


class Unsettled(OutsideError):
    """No answer, or a fault of GitHub's own: a write may have been done or not."""


class Answer(NamedTuple):
    """One answer of GitHub's."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    text: str

    @property
    def content(self) -> Any:
        """Return the document; raises Unsettled where it is none."""
        try:
            return json.loads(self.text) if self.text else None
        except ValueError as error:
            raise Unsettled(f"GitHub answered {self.status} with no JSON document") from error

    @property
    def message(self) -> str:
        """Return what GitHub says about a fault, in one line; empty where it says nothing."""
        try:
            content = json.loads(self.text)
        except ValueError:
            return ""
        if not isinstance(content, dict):
            return ""
        errors = content.get("errors")
        details = [_detail(error) for error in errors] if isinstance(errors, list) else []
        said = [str(content.get("message") or ""), *details]
        return " ".join(": ".join(part for part in said if part).split())[:300]


def _detail(error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return str(said or "")


class Request(NamedTuple):
    """One question or order to GitHub."""

    verb: str
    path: str
    """Below the API's address, or a whole address that GitHub gave for a next page."""
    needs: str
    """The permission of a workflow's token that it takes, such as `statuses: write`."""
    about: str
    """What it is about, for messages: `the statuses of 1f0c2a9`."""
    parameters: Mapping[str, str] = {}
    content: Mapping[str, str] | None = None
    repeatable: bool = True
    """Whether it may be sent again when it is not known whether it was done."""


class Limit(NamedTuple):
    """GitHub asks us to wait."""

    seconds: float
    why: str


def limit_of(answer: Answer) -> Limit | None:
    """Return how long a rate limit asks us to wait; None where the answer is about none."""
    from github.Requester import Requester

    if answer.status not in {403, 429}:
        return None
    asked = answer.headers.get("retry-after", "")
    if Requester.isPrimaryRateLimitError(answer.message) and not asked:
        reset = answer.headers.get("x-ratelimit-reset", "")
        # one second more, as it is not said when in that second the limit ends
        seconds = float(reset) + 1 - time.time() if reset.isdecimal() else SECONDARY_WAIT
        return Limit(max(seconds, 0.0), "its hourly rate limit is used up")
    said = Requester.isRateLimitError(answer.message)
    if answer.status == 429 or asked or said:
        seconds = float(asked) if asked.isdecimal() else SECONDARY_WAIT
        return Limit(seconds, "its secondary rate limit is reached")
    return None


def check(answer: Answer, request: Request, repository: str) -> None:
    """Raise what a bad answer means, with the cure; a good one passes.

    Rate limits are dealt with before.
    """
    if answer.status < 300 or answer.status == NOT_MODIFIED:
        return
    said = f"GitHub answers {answer.status}{f' ({answer.message})' if answer.message else ''}"
    asking = "asked for" if request.verb == "GET" else "told to write"
    what = f"{said} when {asking} {request.about}"
    if answer.status < 400:
        cure = f"set GITHUB_REPOSITORY to its new name, and the remote: {repository} has moved"
        raise OutsideError(what, cure=cure)
    if answer.status >= 500:
        raise Unsettled(what, cure="the same command tries again; see githubstatus.com")
    if answer.status == 401:
        cure = "GITHUB_TOKEN holds no valid token (expired, revoked, or of another server)"
        raise OutsideError(what, cure=cure)
    if answer.status == 403:
        raise NotPermitted(what, cure=_permission(request))
    if answer.status == 404 and request.verb != "GET":
        # GitHub hides what a token may not write: not there and not permitted look the same
        raise NotPermitted(what, cure=f"either it is not there, or {_permission(request)}")
    raise Unknown(what)


def no_repository(repository: str) -> OutsideError:
    """Return the fault that the repository itself is not there for this token."""
    return OutsideError(
        f"GitHub knows no repository {repository}, or does not show it to this token",
        cure="check GITHUB_REPOSITORY; the token needs `contents: read` and `metadata: read` of it",
    )


def _permission(request: Request) -> str:
    return (
        f"the token lacks `{request.needs}`: grant it under `permissions:` of the workflow's job; "
        "the token of a pull request from a fork can only read"
    )
