"""What went wrong in SkyPilot, in our words: a mistake of the user's apart from a fault outside.

SkyPilot's errors are told by the names of their classes, so that this loads none of it.
Source: sky/exceptions.py, SkyPilot 0.14.1.
"""

from __future__ import annotations

import os
import re
import socket
from urllib.parse import urlsplit

from runner.errors import OutsideError, Refused, RunnerError
from runner.launchers.skypilot.server import ENDPOINT, TOKEN, is_loopback, without_password

MISTAKES = frozenset(
    {
        "InvalidClusterNameError",
        "InvalidSkyPilotConfigError",
        "NotSupportedError",
        "ResourcesMismatchError",
        "ResourcesUnavailableError",
        "StorageSpecError",
        "UserRequestRejectedByPolicy",
        "ValueError",
        "VolumeNotFoundError",
        "VolumeTopologyConflictError",
    }
)
"""Errors that say that the task cannot be as it is; trying again would not help."""

UNCLEAR = frozenset(
    {
        "ChunkedEncodingError",
        "ConnectionError",
        "RequestCancelled",
        "RequestException",
        "RequestInterruptedError",
        "ServerTemporarilyUnavailableError",
        "Timeout",
    }
)
"""Errors after which nobody knows whether the server has taken the request up."""

_NOT_OF_SKYPILOT = frozenset({"HTTPError"})
"""Below a class in UNCLEAR, and clear all the same: the server has answered."""
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PASSWORD = re.compile(r"(?<=://)[^/\s@]+@")
"""In an address that SkyPilot repeats; what is told goes onto the ledger."""
_LONGEST = 400
"""Characters of SkyPilot's own words that are passed on."""


def is_unclear(error: BaseException) -> bool:
    """Return whether `error` leaves open what became of the request."""
    names = _names(error)
    return bool(names & UNCLEAR) and not names & _NOT_OF_SKYPILOT


def explain(error: BaseException, what: str, url: str) -> RunnerError:
    """Return `error`, met while asking the API server at `url` to do `what`, in our words."""
    names, words = _names(error), _words(error)
    shown = without_password(url)
    if isinstance(error, RunnerError):
        return error
    if "ApiServerConnectionError" in names or is_unclear(error):
        return _no_answer(what, url, words)
    if "ApiServerAuthenticationError" in names or _status(error) in (401, 403):
        return _not_let_in(shown)
    if names & {"APIVersionMismatchError", "APINotSupportedError"}:
        return OutsideError(
            f"SkyPilot's API server {shown} speaks another version: {words}",
            cure="install the version that is pinned here on the server, or ask its owner to",
        )
    if "PermissionDeniedError" in names:
        return OutsideError(
            f"SkyPilot's API server {shown} does not permit it: {words}",
            cure=f"ask its owner about the user or {TOKEN}",
        )
    if names & MISTAKES:
        return Refused(
            f"SkyPilot refuses to {what}: {words}",
            cure="mend `resources` of the spec; runner render NAME --what task   shows the task",
        )
    return OutsideError(
        f"SkyPilot failed to {what}: {words}", cure="sky api status   shows the server's requests"
    )


def without_controls(text: str) -> str:
    """Return `text` without what tells a terminal of colours and cursors."""
    return _CONTROLS.sub("", text)


def too_late(what: str, url: str, seconds: float) -> OutsideError:
    """Return that SkyPilot has not answered within its deadline."""
    return OutsideError(
        f"SkyPilot's API server {without_password(url)} did not {what} within {seconds:.0f} s",
        cure="sky api status   shows what it is doing",
    )


def _no_answer(what: str, url: str, words: str) -> OutsideError:
    host = urlsplit(url).hostname or ""
    shown = without_password(url)
    if is_loopback(url):
        return OutsideError(
            f"SkyPilot's API server on this machine ({shown}) does not answer",
            cure=f"sky api start, or set {ENDPOINT} to the address of a lasting one",
        )
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return OutsideError(
            f"the name of SkyPilot's API server, {host}, leads nowhere",
            cure=f"mend {ENDPOINT}, or `api_server.endpoint` of ~/.sky/config.yaml",
        )
    return OutsideError(
        f"SkyPilot's API server {shown} does not answer when asked to {what}: {words}",
        cure=f"see whether it is up (curl {shown}/api/health), and that {ENDPOINT} is right",
    )


def _not_let_in(shown: str) -> OutsideError:
    if os.environ.get(TOKEN):
        return OutsideError(
            f"SkyPilot's API server {shown} refuses the token in {TOKEN}",
            cure="ask its owner for a service account token that is valid",
        )
    return OutsideError(
        f"SkyPilot's API server {shown} wants to know who asks",
        cure=f"sky api login -e {shown}, or in CI a service account token in {TOKEN}",
    )


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _words(error: BaseException) -> str:
    """Return what SkyPilot says, on one line, without colours and without the server's password."""
    plain = " ".join(without_controls(str(error) or type(error).__name__).split())
    plain = _PASSWORD.sub("", plain)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
