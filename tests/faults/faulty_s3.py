"""An S3 that can be away in every way that a server can, as seen by whoever uses it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Literal

Mode = Literal["well", "refused", "forbidden", "broken", "hangs"]

_ANSWERS = {"forbidden": ("403 Forbidden", "AccessDenied"), "broken": ("500 Oops", "InternalError")}


class FaultyS3:
    """Passes on what it is sent to the server behind it, or does as its mode says."""

    def __init__(self, host: str, port: int) -> None:
        self._behind = (host, port)
        self._mode: Mode = "well"
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def be(self, mode: Mode) -> None:
        """Fare like this from now on; lines that are open are cut."""
        self._mode = mode
        if mode == "refused":
            self.close()
        elif self._listener is None:
            self._listen()
        for line in list(self._open):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            self._open.add(line)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            if self._mode == "well":
                self._pass_on(line)
            elif self._mode == "hangs":
                while line.recv(65536):
                    pass
            else:
                self._answer(line)
        self._open.discard(line)

    def _pass_on(self, line: socket.socket) -> None:
        with socket.create_connection(self._behind) as behind:
            self._open.add(behind)
            back = threading.Thread(target=_copy, args=(behind, line), daemon=True)
            back.start()
            _copy(line, behind)
            back.join()
            self._open.discard(behind)

    def _answer(self, line: socket.socket) -> None:
        asked = line.recv(65536)
        status, code = _ANSWERS[self._mode]
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        body = "" if asked.startswith(b"HEAD") else body
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        line.sendall((head + body).encode())


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def faulty(url: str) -> Iterator[FaultyS3]:
    """Have one in front of the S3 at `url`."""
    host, port = url.removeprefix("http://").split(":")
    made = FaultyS3(host, int(port))
    try:
        yield made
    finally:
        made.be("refused")
