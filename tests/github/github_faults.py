"""What goes wrong with GitHub at times, armed by a test for the next requests that fit."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from typing import Literal, NoReturn

from werkzeug import Request

Kind = Literal["secondary_limit", "too_many", "bad_gateway", "reset", "lost", "slow"]
LIMIT_PAGE = (
    "https://docs.github.com/free-pro-team@latest/rest/overview/"
    "rate-limits-for-the-rest-api#about-secondary-rate-limits"
)
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)


@dataclass
class Fault:
    """One thing that goes wrong, `times` times."""

    kind: Kind
    """`secondary_limit` (403), `too_many` (429), `bad_gateway` (502); `reset`: the connection is
    cut before anything is done; `lost`: it is done, and the connection cut instead of an answer;
    `slow`: answered after `seconds`."""
    method: str = ".*"
    path: str = ".*"
    """Regular expressions for the whole method and path, the latter without its query."""
    times: int = 1
    seconds: float = 1.0
    """How long to wait: `retry-after` of a limit, or how slow an answer is."""


class Faults:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed.append(fault)

    def disarm(self) -> None:
        with self._lock:
            self._armed.clear()

    def take(self, request: Request) -> Fault | None:
        """Return the first fault that fits `request`, used up by one."""
        with self._lock:
            for fault in self._armed:
                fits = re.fullmatch(fault.method, request.method)
                if fault.times and fits and re.fullmatch(fault.path, request.path):
                    fault.times -= 1
                    return fault
        return None


def refusal(fault: Fault) -> tuple[int, str, dict[str, str]] | None:
    """Return status, message and headers where a fault is an answer; None where it is not."""
    wait = {"retry-after": str(round(fault.seconds))}
    answers: dict[Kind, tuple[int, str, dict[str, str]]] = {
        "secondary_limit": (403, SECONDARY, wait),
        "too_many": (429, SECONDARY, wait),
        "bad_gateway": (502, "Server Error", {}),
    }
    return answers.get(fault.kind)


def cut_connection(request: Request) -> NoReturn:
    """End the connection of `request` without an answer."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by a fault")
