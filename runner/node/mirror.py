"""Publishing beside the watching loop, which a store that is slow or hangs must never delay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from runner.errors import OutsideError
from runner.node import patience


class Mirror:
    """Publishes in a thread of its own, one publication at a time."""

    def __init__(self, publish: Callable[[], None]) -> None:
        """Publish by calling `publish`, which raises OutsideError when the store is away."""
        self._publish = publish
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._succeeded = time.monotonic()

    def restart_patience(self) -> None:
        """Count the time without a success from now on, as after a wait in which none was due."""
        self._succeeded = time.monotonic()

    def advance(self) -> None:
        """Start a publication unless one is under way; a store may be away for a while.

        Raises OutsideError when none has succeeded for STORE_PATIENCE.
        """
        if self._error and not isinstance(self._error, OutsideError):
            raise self._error
        if time.monotonic() - self._succeeded > patience.STORE_PATIENCE:
            raise self._error or _unanswered()
        if self._thread is None or not self._thread.is_alive():
            self._start()

    def flush(self) -> None:
        """Wait for the publication under way, then publish what is new since.

        Raises OutsideError when that fails, or takes longer than STORE_PATIENCE.
        """
        self._join()
        self._start()
        self._join()
        if self._error:
            raise self._error

    def _start(self) -> None:
        # A daemon: a call that hangs for ever does not keep the node program from ending.
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join(patience.STORE_PATIENCE)
            if self._thread.is_alive():
                raise _unanswered()

    def _work(self) -> None:
        try:
            self._publish()
        except Exception as error:  # raised where the thread is waited for
            self._error = error
        else:
            self._error = None
            self._succeeded = time.monotonic()


def _unanswered() -> OutsideError:
    return OutsideError(f"the run store has not answered for {patience.STORE_PATIENCE:.0f} s")
