"""An end to what takes too long in this process, such as the plan of a hostile request."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

AGAIN = 5.0
"""Seconds after which it is said once more, should it have been lost in a destructor."""


class TimeIsUp(BaseException):
    """The time is over; no Exception, so that nothing on the way takes it for a failure."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp inside after `seconds`; for the main thread alone, which gets signals."""
    before = signal.signal(signal.SIGALRM, _raise)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(*_: object) -> None:
    raise TimeIsUp
