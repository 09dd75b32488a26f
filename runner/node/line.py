"""A line between two ranks of a job: JSON messages over TCP, between ends that share a key.

Both ends prove that they know the key before anything is said (an HMAC over a random number of
each), so the program of another job, a port scanner or a person is turned away. What is said is not
encrypted, as little as what Ray's nodes say to each other: no secret is sent.

The line is also the sign of life: when a process dies the kernel closes its end, and when a whole
machine vanishes the kernel of the other end notices it within `VANISHED_SECONDS`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

HANDSHAKE_SECONDS = 5.0
"""For each answer of somebody who has not proved anything yet."""
VANISHED_SECONDS = 40
"""Without any answer of the other machine, until the line counts as lost."""
MOST_BYTES = 64 * 2**20
"""Of one message: the digests of a checkpoint's files are a hundred bytes each."""
_NONCE = 32
_GREETING = b"rollbook ranks 1\n"


class WrongKey(Exception):
    """Whoever is at the other end does not know our key: another job, or a stranger."""


class Line:
    """One end of a line."""

    def __init__(self, connection: socket.socket) -> None:
        """Speak over `connection`, whose other end has proved itself."""
        connection.settimeout(None)
        _notice_a_vanished_peer(connection)
        self._connection = connection
        self._incoming = connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send `message`; raises OSError when the line is lost."""
        data = json.dumps(message).encode() + b"\n"
        with self._sending:
            self._connection.sendall(data)

    def receive(self, seconds: float | None = None) -> dict[str, Any] | None:
        """Return the next message; None when the line is lost, or after `seconds` of silence."""
        try:
            self._connection.settimeout(seconds)
            data = self._incoming.readline(MOST_BYTES)
            self._connection.settimeout(None)
            return dict(json.loads(data)) if data.endswith(b"\n") else None
        except (OSError, ValueError, TypeError):
            return None

    def close(self) -> None:
        """End the line: the other end receives what was sent, and then nothing more."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # whoever receives is woken
        self._connection.close()
        self._incoming.close()


def dial(address: tuple[str, int], key: bytes) -> Line:
    """Return a line to whoever listens at `address`.

    Raises WrongKey when that is somebody else, OSError when nobody answers in time.
    """
    connection = socket.create_connection(address, HANDSHAKE_SECONDS)
    try:
        mine = os.urandom(_NONCE)
        connection.sendall(_GREETING + mine)
        theirs, proof = _read(connection, _NONCE), _read(connection, hashlib.sha256().digest_size)
        if not hmac.compare_digest(proof, _proof(key, b"listens", mine, theirs)):
            raise WrongKey
        connection.sendall(_proof(key, b"dials", mine, theirs))
    except BaseException:
        connection.close()
        raise
    return Line(connection)


def answer(connection: socket.socket, key: bytes) -> Line:
    """Return the line to whoever has dialled; raises WrongKey or OSError as `dial` does."""
    connection.settimeout(HANDSHAKE_SECONDS)
    if _read(connection, len(_GREETING)) != _GREETING:
        raise WrongKey
    theirs, mine = _read(connection, _NONCE), os.urandom(_NONCE)
    connection.sendall(mine + _proof(key, b"listens", theirs, mine))
    proof = _read(connection, hashlib.sha256().digest_size)
    if not hmac.compare_digest(proof, _proof(key, b"dials", theirs, mine)):
        raise WrongKey
    return Line(connection)


class Door:
    """Where lines come in: the first free port of a sequence."""

    def __init__(
        self, ip: str, ports: Iterable[int], key: bytes, enter: Callable[[Line], None]
    ) -> None:
        """Listen on `ip`, and give each line of somebody who knows `key` to `enter`.

        `enter` is called in a thread of that line's own. Raises OSError when no port is free.
        """
        self._key, self._enter = key, enter
        self._listener = _listen(ip, ports)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else a thread stays in accept()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Each by itself: one that says nothing must not keep others waiting.
            threading.Thread(target=self._let_in, args=(connection,), daemon=True).start()

    def _let_in(self, connection: socket.socket) -> None:
        try:
            line = answer(connection, self._key)
        except (OSError, WrongKey):
            connection.close()
        else:
            self._enter(line)


def _listen(ip: str, ports: Iterable[int]) -> socket.socket:
    taken = OSError(errno.EADDRINUSE, f"no port of the job is free on {ip}")
    for port in ports:
        for host in (ip, ""):  # behind a translation of addresses our own is not known here
            try:
                return socket.create_server((host, port), backlog=128)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                    raise
                if error.errno == errno.EADDRINUSE:
                    break
    raise taken


def free_port(ip: str) -> int:
    """Return a port that is free on `ip` now."""
    with contextlib.closing(_listen(ip, (0,))) as probe:
        return int(probe.getsockname()[1])


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionResetError(errno.ECONNRESET, "the other end hung up")
        data += more
    return data


def _proof(key: bytes, side: bytes, dialling: bytes, listening: bytes) -> bytes:
    """Return what only a holder of `key` can say; `side` keeps an answer from being echoed."""
    return hmac.digest(key, side + dialling + listening, "sha256")


def _notice_a_vanished_peer(connection: socket.socket) -> None:
    tcp = socket.IPPROTO_TCP
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(tcp, socket.TCP_KEEPIDLE, VANISHED_SECONDS // 4)
    connection.setsockopt(tcp, socket.TCP_KEEPINTVL, VANISHED_SECONDS // 8)
    connection.setsockopt(tcp, socket.TCP_KEEPCNT, 6)
    connection.setsockopt(tcp, socket.TCP_USER_TIMEOUT, VANISHED_SECONDS * 1000)
    connection.setsockopt(tcp, socket.TCP_NODELAY, 1)
