"""Talking to the isolated process: lines of JSON both ways, with an end to all patience."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import threading
import time
from typing import Any

from .isolation import SECONDS_TO_CLEAR_UP, start

MOST_BYTES = 4 * 2**20
"""Of replies; a reward that forges them shall not fill the memory."""
KEPT_BYTES = 2000
"""Of what the reward prints."""


class Ended(Exception):
    """The isolated process says no more."""


class Talk:
    """One isolated process."""

    def __init__(self, arguments: list[str], seconds: int) -> None:
        """Start it, for at most `seconds`."""
        self._process: subprocess.Popen[bytes] = start(arguments, seconds)
        self._until = time.monotonic() + seconds + SECONDS_TO_CLEAR_UP
        self._selector = selectors.DefaultSelector()
        self._buffer = b""
        self._received = 0
        self.printed = 0
        """Bytes that were written to standard output or standard error."""
        self.print = b""
        """The beginning of them."""
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                self._selector.register(stream, selectors.EVENT_READ)

    def send(self, message: Any) -> None:
        """Send a message; that nobody reads it shows when nothing comes back."""
        data = json.dumps(message).encode() + b"\n"
        threading.Thread(target=self._write, args=(data,), daemon=True).start()

    def _write(self, data: bytes) -> None:
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(data)
                stream.flush()
        except (OSError, ValueError):
            return  # it has ended

    def receive(self) -> dict[str, Any]:
        """Return the next message; raises Ended when none comes, or what comes is no message."""
        while b"\n" not in self._buffer:
            if not self._selector.get_map() or not self._read():
                raise Ended
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise Ended from None
        if not isinstance(message, dict):
            raise Ended
        return message

    def _read(self) -> bool:
        """Take in what has come; False when time is up, or too much has come."""
        ready = self._selector.select(max(0.0, self._until - time.monotonic()))
        for key, _ in ready:
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._process.stderr:
                self.printed += len(data)
                self.print = (self.print + data)[:KEPT_BYTES]
            else:
                self._buffer += data
                self._received += len(data)
        return bool(ready) and self._received <= MOST_BYTES

    def close(self) -> int:
        """Let the process end, and return its exit status: see `isolation`."""
        threading.Thread(target=self._close_input, daemon=True).start()
        while self._selector.get_map() and self._read():
            self._buffer = b""
        try:
            return self._process.wait(max(0.1, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(SECONDS_TO_CLEAR_UP)

    def _close_input(self) -> None:
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError:
            return
