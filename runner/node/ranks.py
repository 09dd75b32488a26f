"""The ranks of a job, one per node, and their meeting.

SkyPilot starts the same `runner node task.json` on every node and says by the environment which one
it is. Rank 0 opens a door on its own address, at a port that follows from the job; the others dial
it. All have to be there before anything else happens, and from then on a rank that is lost, or says
that it failed, stops the others: the trainer of many nodes waits for ever for one that is gone.

    rank 0   ◀ hello   welcome ▶   prepared ▶   ◀ ready   ray ▶   train ▶
             ◀ rewards   ◀ exited   checkpoint ▶   ◀ shards   finish ▶   ◀ finished   end ▶
             at any time: ◀ leaving   ◀ failed
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from runner.errors import EXIT_OUTSIDE, OutsideError, RunnerError
from runner.node.line import Door, Line, WrongKey, dial

KEY = "ROLLBOOK_RANKS_KEY"
"""Random per submission, and the same on all its nodes."""
MEETING_SECONDS = 900.0
"""From the start of a rank until all are there; SkyPilot starts them within seconds of each other,
and rank 0 takes the lease first."""
TURNED_AWAY_SECONDS = 60.0
"""For the others to hear that a start must not train: so long their machines are kept for it."""
HELLO_SECONDS = 30.0
LOOPBACK = "127.0.0.1"
REDIAL_SECONDS = 0.5
_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections (from 32768)."""
_TRIES = 8
"""Ports of a job: where its first is taken by another program, it goes on to the next."""

Message = dict[str, Any]


class RankLost(RunnerError):
    """Another rank is gone or has failed: no patience helps, the job as a whole has to end."""

    exit_code = EXIT_OUTSIDE


class Ranks(NamedTuple):
    """Which rank this process is, and who the others are."""

    rank: int
    ips: tuple[str, ...]
    """Of all nodes, by rank."""
    key: bytes

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.ips)

    @property
    def ip(self) -> str:
        """Address of this node."""
        return self.ips[self.rank]

    def name(self, rank: int) -> str:
        """Return what people are told of a rank."""
        return f"node {rank} ({self.ips[rank]})"

    def ray_token(self) -> str:
        """Return the token of the job's own Ray cluster, which every rank works out by itself."""
        return hmac.new(self.key, b"ray", "sha256").hexdigest()


def ranks(planned: int) -> Ranks:
    """Return who this process is, of a run that plans `planned` nodes.

    Raises OutsideError when the launcher has started another number of them.
    """
    ips = tuple(os.environ.get("SKYPILOT_NODE_IPS", LOOPBACK).split())
    count = int(os.environ.get("SKYPILOT_NUM_NODES", len(ips)))
    rank = int(os.environ.get("SKYPILOT_NODE_RANK", "0"))
    if not count == len(ips) == planned or rank >= count:
        raise OutsideError(
            f"the run plans {planned} nodes (`resources.nodes`), and was started on {count} "
            f"with {len(ips)} addresses, as rank {rank}",
            cure="runner retry NAME   submits it anew",
        )
    key = os.environ.get(KEY, "")
    if count == 1:  # nothing of it has to be reached from elsewhere
        return Ranks(0, (LOOPBACK,), secrets.token_bytes(32))
    if not key:
        raise OutsideError(f"the nodes of this job share no key ({KEY} is not set)")
    return Ranks(rank, ips, key.encode())


def ports(job: str) -> tuple[int, ...]:
    """Return the ports at which the ranks of `job` meet, in the order in which they are tried."""
    first = int.from_bytes(hashlib.sha256(job.encode()).digest()[:4])
    size = len(_PORTS)
    return tuple(_PORTS[(first + n * 997) % size] for n in range(_TRIES))  # 997 is prime


class Fellows:
    """The other ranks, as this one knows them: all the others at rank 0, rank 0 at the others."""

    def __init__(
        self, own: Ranks, lines: Mapping[int, Line], interrupt: Callable[[], None]
    ) -> None:
        """Listen on `lines`; `interrupt` is called when one is lost, has failed, or says the end.

        It is called in another thread, and once.
        """
        self._own, self._lines, self._interrupt = own, dict(lines), interrupt
        self._inbox: list[tuple[int, Message]] = []
        self._news = threading.Condition()
        self._is_closing = False
        self.fault = ""
        """Why this job cannot go on, in a sentence; empty while it can."""
        self.is_taken_away = False
        """Whether the fault is that a rank is gone without a word, or was stopped by a signal."""
        self.end: int | None = None
        """The exit code that rank 0 has told all."""

    def listen(self) -> Self:
        """Begin to hear the others, which may interrupt the main thread at once."""
        for rank in self._lines:
            threading.Thread(target=self._listen, args=(rank,), daemon=True).start()
        return self

    def tell(self, kind: str, **content: object) -> None:
        """Send a message to all; who cannot be reached is found out by listening."""
        for line in self._lines.values():
            try:
                line.send({"kind": kind, **content})
            except OSError:
                line.close()

    def taken(self, kind: str) -> list[tuple[int, Message]]:
        """Return the messages of `kind` that have come since the last call, with their ranks."""
        with self._news:
            return self._take(kind)

    def _take(self, kind: str) -> list[tuple[int, Message]]:
        found = [one for one in self._inbox if one[1]["kind"] == kind]
        self._inbox = [one for one in self._inbox if one[1]["kind"] != kind]
        return found

    def gather(self, kind: str, seconds: float, about: object = None) -> dict[int, Message]:
        """Wait for a message of `kind` from each rank, and return them by rank.

        With `about` only such messages count. Raises RankLost when a rank is gone or has failed,
        or has not answered within `seconds`.
        """
        deadline, found = time.monotonic() + seconds, dict[int, Message]()
        with self._news:
            while True:
                for rank, message in self._take(kind):
                    if about is None or message.get("about") == about:
                        found[rank] = message
                if len(found) == len(self._lines):
                    return found
                if self.fault or self.end is not None:
                    raise RankLost(self.fault or f"{self._own.name(0)} has ended")
                if not self._news.wait(deadline - time.monotonic()):
                    silent = sorted(self._lines.keys() - found.keys())
                    names = ", ".join(map(self._own.name, silent))
                    raise RankLost(f"{names} did not say `{kind}` within {seconds:.0f} s")

    def wait(self, seconds: float) -> None:
        """Return at the next message, or after `seconds`."""
        with self._news:
            self._news.wait(seconds)

    def await_end(self, seconds: float) -> None:
        """Return when rank 0 has told the end, or is gone, or after `seconds`."""
        with self._news:
            self._news.wait_for(lambda: self.end is not None or bool(self.fault), seconds)

    def close(self) -> None:
        """Hang up; what was told before is still received."""
        self._is_closing = True
        for line in self._lines.values():
            line.close()

    def _listen(self, rank: int) -> None:
        line = self._lines[rank]
        while (message := line.receive()) is not None:
            if message["kind"] == "failed":
                fault = f"{self._own.name(rank)}: {message['error']}"
                self._stop(fault, is_taken_away=bool(message["signal"]))
            elif message["kind"] == "end":
                self.end = int(message["exit_code"])
                self._stop("")
                return
            with self._news:
                self._inbox.append((rank, message))
                self._news.notify_all()
        self._stop(f"{self._own.name(rank)} is gone", is_taken_away=True)

    def _stop(self, fault: str, *, is_taken_away: bool = False) -> None:
        with self._news:
            self.is_taken_away = self.is_taken_away or (is_taken_away and not self.fault)
            is_first = not self.fault and not self._is_closing
            self.fault = self.fault or fault
            self._news.notify_all()
        if is_first:
            self._interrupt()


def meet(
    own: Ranks, job: str, interrupt: Callable[[], None], seconds: float
) -> tuple[Fellows, dict[int, Message]]:
    """At rank 0: wait for the others, and return those that came, with what each told of itself.

    Some may be missing after `seconds`.
    """
    arrived: dict[int, tuple[Line, Message]] = {}
    news = threading.Condition()

    def enter(line: Line) -> None:
        told = line.receive(HELLO_SECONDS) or {}
        with news:
            rank = told.get("rank")
            if isinstance(rank, int) and 0 < rank < own.nodes and rank not in arrived:
                arrived[rank] = (line, told)
                news.notify_all()
            else:
                line.close()

    if own.nodes == 1:
        return Fellows(own, {}, interrupt), {}
    door = _door(own, job, enter)
    try:
        with news:
            news.wait_for(lambda: len(arrived) == own.nodes - 1, seconds)
    finally:
        door.close()
    lines = {rank: line for rank, (line, _) in arrived.items()}
    fellows = Fellows(own, lines, interrupt).listen()
    return fellows, {rank: told for rank, (_, told) in arrived.items()}


def turn_away(own: Ranks, job: str, exit_code: int) -> None:
    """At rank 0: have the others end with `exit_code`, as there is nothing to do for this start.

    Who does not come within TURNED_AWAY_SECONDS gives up by itself, later.
    """
    with contextlib.suppress(OutsideError):
        fellows, _ = meet(own, job, lambda: None, TURNED_AWAY_SECONDS)
        fellows.tell("end", exit_code=exit_code)
        fellows.close()


def _door(own: Ranks, job: str, enter: Callable[[Line], None]) -> Door:
    try:
        return Door(own.ip, ports(job), own.key, enter)
    except OSError as error:
        raise OutsideError(f"the other nodes cannot reach node 0: {error.strerror}") from error


def join(own: Ranks, job: str, about: Message, interrupt: Callable[[], None]) -> Fellows:
    """At another rank: dial rank 0 until it answers, and say hello with `about`; not yet listening.

    Raises OutsideError when it does not within MEETING_SECONDS.
    """
    deadline = time.monotonic() + MEETING_SECONDS
    for port in itertools.cycle(ports(job)):
        try:
            line = dial((own.ips[0], port), own.key)
            line.send({"kind": "hello", "rank": own.rank, "host": socket.gethostname(), **about})
        except (OSError, WrongKey):
            if time.monotonic() > deadline:
                break
            time.sleep(REDIAL_SECONDS / _TRIES)
        else:
            return Fellows(own, {0: line}, interrupt)
    raise OutsideError(f"{own.name(0)} has not answered within {MEETING_SECONDS:.0f} s")


def variables(own: Ranks, port: int) -> dict[str, str]:
    """Return what a command that starts on every node is told, to find the others at `port`.

    torchrun takes an option that its command line lacks from PET_<OPTION>
    (torch/distributed/argparse_util.py), so one command line serves all nodes.
    """
    told = {
        "ROLLBOOK_NODE_RANK": str(own.rank),
        "ROLLBOOK_NODES": str(own.nodes),
        "ROLLBOOK_MASTER_ADDR": own.ips[0],
        "ROLLBOOK_MASTER_PORT": str(port),
    }
    if own.nodes > 1:
        told |= {
            "PET_NNODES": str(own.nodes),
            "PET_NODE_RANK": str(own.rank),
            "PET_MASTER_ADDR": own.ips[0],
            "PET_MASTER_PORT": str(port),
        }
    return told
