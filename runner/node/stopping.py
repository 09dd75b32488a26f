"""How a node program is asked to stop: by a signal, from outside or from a thread of its own."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stopped(BaseException):
    """Somebody asked the node program to stop; nothing but its story handles it."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into Stopped, once."""

    def raise_stopped(number: int, frame: FrameType | None) -> None:
        ignore_stops()
        raise Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, raise_stopped)
    yield


def ignore_stops() -> None:
    """From here on the node is ending; a second request must not cut the clean-up short."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def interrupt() -> None:
    """Stop the main thread from another one, out of whatever it waits for."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGTERM)
