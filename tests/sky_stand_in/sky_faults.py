"""What goes wrong with an API server at times, armed by a test for the next requests that fit."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from typing import Literal, NoReturn

from werkzeug import Request

Kind = Literal["busy", "reset", "lost", "slow", "fails", "held"]


@dataclass
class Fault:
    """One thing that goes wrong, `times` times."""

    kind: Kind
    """`busy`: 503; `reset`: the connection is cut before anything is done; `lost`: it is done, and
    the connection cut instead of an answer; `slow`: answered after `seconds`; `fails`: the request
    is taken up, and ends with `error`; `held`: it is taken up, and carried out after `seconds`."""
    path: str = ".*"
    """Regular expression for the whole path, without its query."""
    times: int = 1
    seconds: float = 1.0
    error: Exception | None = None


class Faults:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        with self._lock:
            self._armed.append(fault)

    def take(self, request: Request) -> Fault | None:
        """Return the first fault that fits `request`, used up by one."""
        with self._lock:
            for fault in self._armed:
                if fault.times and re.fullmatch(fault.path, request.path):
                    fault.times -= 1
                    return fault
        return None


def cut_connection(request: Request) -> NoReturn:
    """End the connection of `request` without an answer."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by a fault")
