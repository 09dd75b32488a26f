"""How git reaches the forge from a workflow: by its token, and only there."""

from __future__ import annotations

import base64
import os
from urllib.parse import urlsplit

from runner.git.repository import Repository


def lend_token_to_git(repository: Repository, remote: str = "origin") -> None:
    """Let the git calls of this process use GITHUB_TOKEN for the forge's own server.

    By environment, so that the token stands in no file and no argument: a checkout that keeps
    credentials would leave it in .git/config. Another server than GITHUB_SERVER_URL never gets it.
    """
    token = os.environ.get("GITHUB_TOKEN", "")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/")
    there = urlsplit(repository.git_config(f"remote.{remote}.url") or "")
    if not token or there.username or f"{there.scheme}://{there.netloc}" != server:
        return
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    given = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    os.environ |= {
        "GIT_CONFIG_COUNT": str(given + 1),
        f"GIT_CONFIG_KEY_{given}": f"http.{server}/.extraheader",
        f"GIT_CONFIG_VALUE_{given}": f"AUTHORIZATION: basic {basic}",
    }


def without_token() -> dict[str, str]:
    """Return this process's environment without anything that opens the forge."""
    kept = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")
    secret = ("GIT_CONFIG_", "GITHUB_", "GH_", "ACTIONS_", "INPUT_")
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or not name.startswith(secret)
    }
