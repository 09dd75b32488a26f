"""GitHub's API: limits obeyed, faults repeated, unchanged lists not transferred twice.

PyGithub's requester does the sending (authentication, addresses, one kept connection, the spacing
of requests); it knows neither conditional requests for lists nor a bound on the wait that an answer
may ask for, so these are here. What is remembered of lists is kept in memory, not on disk: it helps
a command that polls, not the next job.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from runner import screen
from runner.errors import OutsideError
from runner.forges.github_answers import (
    NOT_MODIFIED,
    Answer,
    Limit,
    Request,
    Unsettled,
    check,
    limit_of,
)

if TYPE_CHECKING:
    from github.Requester import Requester

PAUSES = (1.0, 4.0, 15.0)
"""Seconds between tries after a fault of GitHub's or of the network; then it is given up."""
RETRY_AFTER_LIMIT = 120.0
"""Seconds that one answer may make us wait; a longer limit ends the command with a word."""
REQUEST_SPACING = 0.1
"""Seconds between the end of a request and the next."""
WRITE_SPACING = 0.8
"""Seconds between writes: 75 a minute, GitHub takes 80."""
TIMEOUT = 30
"""Seconds for GitHub to begin its answer."""
PAGE = 100
"""Items a page: the most that GitHub gives."""
REMEMBERED_PAGES = 256


class Page(NamedTuple):
    """One page of a list."""

    items: list[Any]
    pages: int
    """Pages of the whole list, as far as GitHub says."""
    next: str
    """The address of the next page; empty on the last."""


class GitHubApi:
    """The API of one GitHub server for one token."""

    def __init__(self, url: str, token: str, repository: str) -> None:
        """Talk to the API at `url` about `repository` (owner/name)."""
        self._url = url
        self._token = token
        self._repository = repository
        self._remembered: dict[str, tuple[str, Page]] = {}

    @functools.cached_property
    def _requester(self) -> Requester:
        from github import Auth, Github

        return Github(
            auth=Auth.Token(self._token),
            base_url=self._url,
            timeout=TIMEOUT,
            lazy=True,
            retry=None,
            per_page=PAGE,
            seconds_between_requests=REQUEST_SPACING,
            seconds_between_writes=WRITE_SPACING,
            user_agent="rollbook",
        ).requester

    def send(self, request: Request) -> Any:
        """Return the document that GitHub answers with.

        Raises NotPermitted, Unknown, Unsettled or another OutsideError.
        """
        return self._answer(request).content

    def pages(self, request: Request) -> Iterator[Page]:
        """Yield the pages of a list; one that has not changed since is not transferred again."""
        page = self._page(request._replace(parameters=_a_page(request)))
        yield page
        while page.next:
            page = self._page(request._replace(path=page.next, parameters={}))
            yield page

    def _page(self, request: Request) -> Page:
        key = f"{request.path}?{sorted(request.parameters.items())}"
        etag, remembered = self._remembered.pop(key, ("", None))
        answer = self._answer(request, etag)
        if answer.status == NOT_MODIFIED and remembered is not None:
            page = remembered
        else:
            etag = answer.headers.get("etag", "")
            page = _page_of(answer)
        if etag:
            self._remembered[key] = (etag, page)
        if len(self._remembered) > REMEMBERED_PAGES:
            del self._remembered[next(iter(self._remembered))]
        return page

    def _answer(self, request: Request, etag: str = "") -> Answer:
        """Send until there is an answer that another try would not better."""
        for pause in PAUSES:
            try:
                answer = self._once(request, etag)
                limit = limit_of(answer)
                if limit is None:
                    check(answer, request, self._repository)
                    return answer
            except Unsettled:
                if not request.repeatable:
                    raise
                limit = Limit(0.0, "it does not answer")
            _wait(limit, pause)
        answer = self._once(request, etag)
        limit = limit_of(answer)
        if limit is not None:
            raise _too_long(limit)
        check(answer, request, self._repository)
        return answer

    def _once(self, request: Request, etag: str) -> Answer:
        import requests

        headers = {"Accept": "application/vnd.github+json"}
        if etag:
            headers["If-None-Match"] = etag
        content = None if request.content is None else dict(request.content)
        try:
            status, answered, text = self._requester.requestJson(
                request.verb, request.path, dict(request.parameters), headers, content
            )
        except requests.RequestException as error:
            raise Unsettled(
                f"no answer from {self._url} when asked about {request.about}: "
                f"{self._hidden(type(error).__name__, str(error))}",
                cure="check GITHUB_API_URL and the network; the same command tries again",
            ) from error
        except RuntimeError as error:  # a redirection to another scheme or host
            raise OutsideError(self._hidden("", str(error)), cure="check GITHUB_API_URL") from error
        return Answer(status, answered, text)

    def _hidden(self, kind: str, text: str) -> str:
        """Return the words of another's exception, cut, and without the token in any case."""
        return f"{kind} {text}".strip().replace(self._token, "***")[:300]


def _a_page(request: Request) -> dict[str, str]:
    return {**request.parameters, "per_page": str(PAGE)}


def _page_of(answer: Answer) -> Page:
    """Return the page in an answer, with what its Link header says of the others."""
    from urllib.parse import parse_qs, urlparse

    from requests.utils import parse_header_links

    links = {
        link.get("rel", ""): link.get("url", "")
        for link in parse_header_links(answer.headers.get("link", ""))
    }
    numbers = parse_qs(urlparse(links.get("last", "")).query).get("page", ["1"])
    pages = int(numbers[0]) if numbers[0].isdigit() else 1
    items = answer.content
    if not isinstance(items, list):
        raise Unsettled("GitHub answered with no list where one was asked for")
    return Page(items, pages, links.get("next", ""))


def _wait(limit: Limit, pause: float) -> None:
    """Wait as long as GitHub asks; raises OutsideError when that is too long."""
    if limit.seconds > RETRY_AFTER_LIMIT:
        raise _too_long(limit)
    seconds = max(limit.seconds, pause)
    if seconds >= 5:
        screen.say(f"GitHub: {limit.why}; waiting {seconds:.0f} s")
    time.sleep(seconds)


def _too_long(limit: Limit) -> OutsideError:
    until = time.strftime("%H:%M:%S UTC", time.gmtime(time.time() + limit.seconds))
    return OutsideError(
        f"GitHub asks to wait until {until} ({limit.seconds / 60:.0f} min): {limit.why}",
        cure="the same command works after that; nothing is lost",
    )
