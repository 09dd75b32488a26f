"""Which repository, token and server: from the environment of a workflow, else from the clone."""

from __future__ import annotations

import functools
import os
import re
from importlib.util import find_spec
from urllib.parse import urlparse

from runner import screen
from runner.errors import Refused
from runner.forges.base import Forge
from runner.forges.github import GitHubForge
from runner.forges.none import NoForge
from runner.workspace import Workspace

API_URL = "https://api.github.com"
SERVER_URL = "https://github.com"
REPOSITORY = re.compile(r"(?!\.\.?/)[A-Za-z0-9._-]+/(?!\.\.?$)[A-Za-z0-9._-]+")
_SCP_LIKE = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
"""`git@github.com:owner/name.git`, as scp writes places."""


def open_github(workspace: Workspace) -> Forge:
    """Return the repository on GitHub, or no forge, said once, where it cannot be reached.

    Raises Refused where an address or the token in the environment is none.
    """
    token = _token()
    api = _address("GITHUB_API_URL", API_URL)
    server = _address("GITHUB_SERVER_URL", SERVER_URL)
    origin = workspace.repository.git_config("remote.origin.url") or ""
    repository = os.environ.get("GITHUB_REPOSITORY") or repository_of(origin, server)
    if not token:
        _say_once(
            "nothing is shown on GitHub: there is no token; set GITHUB_TOKEN or GH_TOKEN "
            "(export GH_TOKEN=$(gh auth token))"
        )
        return NoForge()
    if not repository:
        _say_once(
            f"nothing is shown on GitHub: the remote `origin` is no repository on {server}; set "
            "GITHUB_REPOSITORY=owner/name"
        )
        return NoForge()
    if not REPOSITORY.fullmatch(repository):
        raise Refused(f"{repository!r} is no owner/name", cure="set GITHUB_REPOSITORY=owner/name")
    if find_spec("github") is None:
        _say_once("nothing is shown on GitHub: PyGithub is missing; pip install 'rollbook[github]'")
        return NoForge()
    return GitHubForge(repository, token, api, server)


def repository_of(remote: str, server: str) -> str | None:
    """Return owner/name from a git remote's address; None where it is not on `server`."""
    scp_like = None if "://" in remote else _SCP_LIKE.fullmatch(remote)
    if scp_like:
        host, path = scp_like["host"], scp_like["path"]
    else:
        address = urlparse(remote)
        host, path = address.hostname or "", address.path
    expected = urlparse(server).hostname
    # ssh.github.com is GitHub's ssh on the port of https
    if not host or host.lower() not in {expected, f"ssh.{expected}"}:
        return None
    name = path.strip("/").removesuffix(".git")
    return name if REPOSITORY.fullmatch(name) else None


def _token() -> str:
    """Return the token, empty for none; raises Refused, without showing it, where it is none."""
    for variable in ("GITHUB_TOKEN", "GH_TOKEN"):
        token = os.environ.get(variable, "").strip()
        if token and not re.fullmatch(r"[!-~]+", token):
            raise Refused(f"{variable} holds no token", cure="copy it again, without other words")
        if token:
            return token
    return ""


def _address(variable: str, default: str) -> str:
    address = os.environ.get(variable) or default
    parsed = urlparse(address)
    if parsed.scheme not in {"http", "https"} or not parsed.hostname:
        raise Refused(f"{variable} is no http address", cure=f"such as {default}")
    return address


@functools.cache
def _say_once(text: str) -> None:
    screen.say(text)
