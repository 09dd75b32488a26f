"""GitHub: commit statuses, comments, pull requests, and who may write."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from runner.forges import github_api
from runner.forges.base import COMMENT_LIMIT, NotPermitted, PullRequest, Status
from runner.forges.github_answers import Request, Unknown, Unsettled, no_repository
from runner.forges.github_api import GitHubApi
from runner.forges.github_statuses import Statuses

ACTIONS_LOGIN = "github-actions[bot]"
"""Whom GitHub shows as the author of what a workflow's token writes."""
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?")
WRITERS = frozenset({"admin", "maintain", "write"})
COMMENT_TRIES = 3
"""Tries to add a comment; before each further one we look whether it is there after all."""


class Author(NamedTuple):
    """Who wrote a comment; GitHub shows deleted accounts as `ghost`."""

    login: str
    kind: str
    """`User`, `Bot` or `Organization`."""


class GitHubForge:
    """One repository on GitHub, or on a GitHub Enterprise server."""

    name = "github"

    def __init__(self, repository: str, token: str, api_url: str, server_url: str) -> None:
        """Take `repository` (owner/name); nothing is asked of GitHub yet."""
        self._repository = repository
        self._server = server_url.rstrip("/")
        self._root = f"/repos/{quote(repository)}"
        self._api = GitHubApi(api_url.rstrip("/"), token, repository)

    # Statuses

    def set_statuses(self, statuses: Iterable[Status]) -> None:
        """Show each status beside its commit; what is shown already is not written again.

        Raises OutsideError for a commit that GitHub does not know, after all others are shown.
        """
        by_commit: dict[str, dict[str, Status]] = {}
        for status in statuses:
            by_commit.setdefault(status.commit, {})[status.context] = status
        unknown: Unknown | None = None
        for commit, wanted in by_commit.items():
            try:
                Statuses(self._api, self._root, commit).show(wanted.values())
            except Unknown as error:
                unknown = unknown or error
        if unknown is not None:
            self._assert_repository()
            raise unknown

    # Comments

    def comment(self, number: int, marker: str, body: str) -> None:
        """Make `body` the one comment of ours on pull request `number` that begins with `marker`.

        Of two of ours, made in a race, the older is edited.
        """
        _assert_comment(body)
        if not body.startswith(marker):
            raise ValueError(f"the body does not begin with its marker {marker!r}")
        there = self._our_comment(number, marker)
        if there is None:
            self._add_comment(number, body)
        elif _text(there) != _clean(body):
            path = f"{self._root}/issues/comments/{there['id']}"
            self._api.send(self._comments("PATCH", path, number, {"body": body}))

    def own_comment(self, number: int, marker: str) -> str | None:
        """Return the text of that comment of ours as it is now; None where there is none."""
        there = self._our_comment(number, marker)
        return None if there is None else _text(there)

    def reply(self, number: int, body: str) -> None:
        """Add a comment to pull request or issue `number`."""
        _assert_comment(body)
        self._add_comment(number, body)

    def _add_comment(self, number: int, body: str) -> None:
        """Add a comment once, though GitHub may do it and not say so."""
        # a minute earlier, since GitHub's clock is not ours
        since = datetime.now(UTC) - timedelta(minutes=1)
        path = f"{self._root}/issues/{number}/comments"
        request = self._comments("POST", path, number, {"body": body})._replace(repeatable=False)
        for tries in range(1, COMMENT_TRIES + 1):
            try:
                self._api.send(request)
            except Unsettled:
                if tries == COMMENT_TRIES:
                    raise
                time.sleep(github_api.PAUSES[tries - 1])
                there = self._our_comment(number, _clean(body), since)
                if there is not None and _text(there) == _clean(body):
                    return
            else:
                return

    def _our_comment(
        self, number: int, beginning: str, since: datetime | None = None
    ) -> dict[str, Any] | None:
        """Return the oldest comment of ours with that beginning, edited since then."""
        us = self._us
        request = self._comments("GET", f"{self._root}/issues/{number}/comments", number)
        if since is not None:
            request = request._replace(parameters={"since": f"{since:%Y-%m-%dT%H:%M:%SZ}"})
        try:
            for page in self._api.pages(request):
                for comment in page.items:
                    if _author(comment) == us and _text(comment).startswith(beginning):
                        found: dict[str, Any] = comment
                        return found
        except Unknown:
            self._assert_repository()
            raise
        return None

    def _comments(
        self, verb: str, path: str, number: int, content: dict[str, str] | None = None
    ) -> Request:
        needs = "pull-requests: read" if verb == "GET" else "pull-requests: write"
        return Request(verb, path, needs, f"the comments of #{number}", content=content)

    # Pull requests

    def pull_request(self, number: int) -> PullRequest | None:
        """Return the pull request `number` as it is now; None where there is none."""
        about = f"pull request #{number}"
        found = self._find(f"/pulls/{number}", "pull-requests: read", about)
        return None if found is None else _pull_request(found)

    def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """Return the open pull requests, the oldest first."""
        path, about = f"{self._root}/pulls", "the open pull requests"
        parameters = {"state": "open", "sort": "created", "direction": "asc"}
        request = Request("GET", path, "pull-requests: read", about, parameters)
        return tuple(_pull_request(o) for page in self._api.pages(request) for o in page.items)

    def merged_by(self, commit: str) -> int | None:
        """Return the number of the merged pull request that brought `commit`; None for none.

        Where several did (one was merged into the branch of another), the last to be merged, unless
        `commit` is the merge of one itself.
        """
        path, about = f"/commits/{quote(commit, safe='')}/pulls", f"the pull requests of {commit}"
        found = self._find(path, "pull-requests: read", about, {"per_page": "100"})
        merged = [pull for pull in found or () if pull.get("merged_at")]
        if not merged:
            return None
        best = max(merged, key=lambda p: (p.get("merge_commit_sha") == commit, p["merged_at"]))
        return int(best["number"])

    # People

    def may_write(self, login: str) -> bool:
        """Return whether the person may write to the repository, as the forge says now."""
        path, about = f"/collaborators/{quote(login, safe='')}/permission", f"what {login} may do"
        known = LOGIN.fullmatch(login)  # anything else would be part of another address
        found = self._find(path, "metadata: read", about) if known else None
        return found is not None and found.get("permission") in WRITERS

    def login(self) -> str | None:
        """Return whom the forge takes us for."""
        return self._us.login

    @functools.cached_property
    def _us(self) -> Author:
        request = Request("GET", "/user", "a token", "whose token this is")
        try:
            return _author({"user": self._api.send(request)})
        except NotPermitted:  # the token of an installation belongs to no user
            return Author(ACTIONS_LOGIN, "Bot")

    # Addresses

    def link(self, reference: str, path: str, line: int | None = None) -> str:
        """Return the address of a file at a commit or branch."""
        place = "" if line is None else f"#L{line}"
        where = f"{quote(self._repository)}/blob/{quote(reference)}/{quote(path)}"
        return f"{self._server}/{where}{place}"

    def _find(
        self, path: str, needs: str, about: str, parameters: dict[str, str] | None = None
    ) -> Any:
        """Return what is at `path` of the repository; None where there is nothing."""
        request = Request("GET", f"{self._root}{path}", needs, about, parameters or {})
        try:
            return self._api.send(request)
        except Unknown:
            self._assert_repository()
            return None

    def _assert_repository(self) -> None:
        """Raise OutsideError with the cure when it is the whole repository that is not there."""
        request = Request("GET", self._root, "metadata: read", f"repository {self._repository}")
        try:
            self._api.send(request)
        except Unknown as error:
            raise no_repository(self._repository) from error


def _assert_comment(body: str) -> None:
    size = len(body.encode())
    if size > COMMENT_LIMIT:
        raise ValueError(f"a comment of {size} bytes is over the limit of {COMMENT_LIMIT}")


def _clean(text: str) -> str:
    """Return a text as it compares: forges differ in how they end lines and the whole."""
    return text.replace("\r\n", "\n").rstrip()


def _text(comment: dict[str, Any]) -> str:
    return _clean(comment.get("body") or "")


def _author(written: dict[str, Any]) -> Author:
    user = written.get("user") or {"login": "ghost", "type": "User"}
    return Author(str(user["login"]), str(user.get("type", "")))


def _pull_request(pull: dict[str, Any]) -> PullRequest:
    head, base = pull["head"], pull["base"]
    there, here = head.get("repo"), base["repo"]
    return PullRequest(
        number=int(pull["number"]),
        head=str(head["sha"]),
        base=str(base["ref"]),
        from_fork=there is None or there["id"] != here["id"],  # a deleted fork has none
        author=_author(pull).login,
    )
