"""What an operation of the stand-in gets and gives: a call, an answer, a problem, a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import urlencode

from github_answers import Answers
from github_state import Repository, State, Token

T = TypeVar("T")


class Problem(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, *details: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.details = status, message, details
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Call(NamedTuple):
    """One request, taken apart."""

    state: State
    answers: Answers
    repository: Repository
    token: Token
    names: dict[str, str]
    """What the placeholders of the path stand for."""
    query: dict[str, str]
    body: dict[str, Any]
    url: str
    """The address that was asked for, without its query."""


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


def not_found() -> NoReturn:
    raise Problem(404, "Not Found")


def invalid(message: str) -> NoReturn:
    raise Problem(422, "Validation Failed", message)


def page(call: Call, items: Sequence[T]) -> tuple[list[T], dict[str, str]]:
    """Return one page of `items` and the header that links to the others."""
    size, number = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
    last = max(1, -(-len(items) // size))
    pages: dict[str, int] = {}
    if number > 1:
        pages |= {"prev": min(number - 1, last), "first": 1}
    if number < last:
        pages |= {"next": number + 1, "last": last}
    links = [
        f'<{call.url}?{urlencode(call.query | {"page": there})}>; rel="{name}"'
        for name, there in pages.items()
    ]
    headers = {"link": ", ".join(links)} if links else {}
    return list(items[(number - 1) * size : number * size]), headers


def listed(call: Call, items: Sequence[T], write: Callable[[T], dict[str, Any]]) -> Answer:
    chosen, headers = page(call, items)
    return Answer(200, [write(item) for item in chosen], headers)
