"""Bounded patience with what is outside the run: a blip must not cost weights that were trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from runner.errors import OutsideError

STORE_PATIENCE = 900.0
"""Seconds for which the run store or a DVC remote may be away before the run is ended for it."""
START_PATIENCE = 300.0
"""The same before there is anything to lose but the wait for the machines."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

T = TypeVar("T")


def at_the_start(action: Callable[[], T]) -> T:
    """Return what `action` does, repeated while it raises OutsideError, for START_PATIENCE."""
    return patiently(action, START_PATIENCE)


def patiently(action: Callable[[], T], seconds: float | None = None) -> T:
    """Return what `action` does, repeated with growing pauses while it raises OutsideError.

    Raises the last OutsideError when `seconds` (STORE_PATIENCE) are over.
    """
    patience = STORE_PATIENCE if seconds is None else seconds
    deadline, pause = time.monotonic() + patience, FIRST_PAUSE
    while True:
        try:
            return action()
        except OutsideError:
            if time.monotonic() + pause > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
