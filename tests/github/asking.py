"""Asking the stand-in for GitHub as any program would, without a client library."""

from __future__ import annotations

from typing import Any

import requests
from stand_in_github import GitHub


def ask(github: GitHub, method: str, path: str, token: str = "", **about: Any) -> requests.Response:
    """Ask for `path` below the repository's address."""
    whole = f"/repos/{github.repository.full_name}{path}"
    return ask_whole(github, method, whole, token, **about)


def ask_whole(
    github: GitHub, method: str, path: str, token: str = "", **about: Any
) -> requests.Response:
    """Ask for `path`; `about` is what requests.request takes."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= about.pop("headers", {})
    return requests.request(method, github.urls.api + path, headers=headers, timeout=20, **about)


def open_topic(github: GitHub) -> int:
    """Open a pull request and return its number."""
    return github.open_pull_request("topic", files={"experiments/b.yaml": "b: 1\n"}).number
