"""The statuses of one commit on GitHub, which keeps every one that was ever set, at most 1,000."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote

from runner import screen
from runner.forges.base import CONTEXT_LIMIT, DESCRIPTION_LIMIT, Status
from runner.forges.github_answers import Request
from runner.forges.github_api import PAGE, GitHubApi

ONLY_FINAL_FROM = 990
"""Statuses of a context on a commit after which only results are written: GitHub takes 1,000."""
MOST_PAGES = 40
"""Pages of a commit's statuses that are read; what is older is counted as if it were alike."""


class _Shown(NamedTuple):
    """What GitHub shows of a commit, by context in lower case (GitHub's contexts know no case)."""

    newest: dict[str, dict[str, Any]]
    times: dict[str, float]
    """How often each context was set."""


class Statuses:
    """The statuses beside one commit."""

    def __init__(self, api: GitHubApi, root: str, commit: str) -> None:
        """Take the API, the repository's path in it (`/repos/owner/name`) and the commit's id."""
        self._api = api
        self._root = root
        self._commit = commit

    def show(self, wanted: Iterable[Status]) -> None:
        """Write those of `wanted` that GitHub does not show yet."""
        statuses = [_within_limits(status) for status in wanted]
        shown = self._shown({status.context.lower() for status in statuses})
        for status in statuses:
            context = status.context.lower()
            if _same(status, shown.newest.get(context)):
                continue
            if status.state == "pending" and shown.times.get(context, 0) >= ONLY_FINAL_FROM:
                _say_full(status.context, status.commit)
            else:
                self._write(status)

    def _shown(self, contexts: set[str]) -> _Shown:
        """Read the list, the newest first, as far as it can matter to `contexts`."""
        newest: dict[str, dict[str, Any]] = {}
        times: Counter[str] = Counter()
        path = f"{self._root}/commits/{quote(self._commit, safe='')}/statuses"
        request = Request("GET", path, "statuses: read", self._about)
        read = pages = 0
        for page in self._api.pages(request):
            read, pages = read + 1, max(page.pages, pages, read + 1)
            for item in page.items:
                context = str(item["context"]).lower()
                newest.setdefault(context, item)
                times[context] += 1
            few = pages * PAGE < ONLY_FINAL_FROM
            if read == MOST_PAGES or (few and contexts <= newest.keys()):
                break
        scale = max(pages / read, 1.0)
        return _Shown(newest, {context: number * scale for context, number in times.items()})

    def _write(self, status: Status) -> None:
        content = {
            "state": status.state,
            "context": status.context,
            "description": status.description,
        }
        if status.url:
            content["target_url"] = status.url
        path = f"{self._root}/statuses/{quote(self._commit, safe='')}"
        self._api.send(Request("POST", path, "statuses: write", self._about, content=content))

    @property
    def _about(self) -> str:
        return f"the statuses of {self._commit[:7]}"


@functools.cache
def _say_full(context: str, commit: str) -> None:
    screen.say(
        f"{context}: GitHub holds {ONLY_FINAL_FROM} statuses of it beside {commit[:7]} and takes "
        "1,000; from here on only its result is shown there"
    )


def _within_limits(status: Status) -> Status:
    """Return the status as GitHub takes it; who made it has kept the limits, or has a bug."""
    if len(status.context) > CONTEXT_LIMIT:
        raise ValueError(f"context {status.context!r} is over {CONTEXT_LIMIT} characters")
    if len(status.description) <= DESCRIPTION_LIMIT:
        return status
    return status._replace(description=f"{status.description[: DESCRIPTION_LIMIT - 1]}…")


def _same(status: Status, shown: dict[str, Any] | None) -> bool:
    if shown is None:
        return False
    there = (shown["state"], shown.get("description") or "", shown.get("target_url") or "")
    return there == (status.state, status.description, status.url)
