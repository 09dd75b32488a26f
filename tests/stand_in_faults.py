"""What goes wrong with a server at times, armed by a test for the next requests that fit."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from typing import NoReturn

from werkzeug import Request


@dataclass
class Fault:
    """One thing that goes wrong, `times` times."""

    kind: str
    """`reset`: the connection is cut before anything is done; `lost`: it is done, and the
    connection cut instead of an answer; `slow`: answered after `seconds`. `arm` of each server
    has those of its own."""
    method: str = ".*"
    path: str = ".*"
    """Regular expressions for the whole method and path, the latter without its query."""
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


def cut_connection(request: Request) -> NoReturn:
    """End the connection of `request` without an answer."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut by a fault")
