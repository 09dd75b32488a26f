"""Ray on the nodes of a job: started before the trainer, stopped after it, nothing left behind.

Rank 0 has the head, the others join it. Every cluster has a token of its own: without one anybody
who reaches a port of it may run code there, and with the mode unset a `~/.ray/auth_token` of the
user's makes some of Ray's processes ask for a token that the others do not know.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from runner.errors import OutsideError
from runner.node import job
from runner.node.line import free_port
from runner.node.process import guarded, stop
from runner.node.ranks import Ranks
from runner.node.task import NodeTask

LOG = "ray.txt"
START_DEADLINE = 120.0
DASHBOARD_PORT = 8265
GRACE_SECONDS = 20.0
CPUS_PER_DEVICE = 8
"""CPUs that Ray is told of per device, at least: to Ray they are tickets, not cores. verl's
placement group wants 3, its workers some more; with fewer it would wait for ever."""
OBJECT_STORE_BYTES = 200_000_000
"""Where devices are pretended: no memory is to be set aside for what a smoke run never sends. On
GPUs Ray takes its own share of the machine."""

# Run by the training environment's Python: the nodes as Ray itself sees them, until all are there.
_NODES = """\
import json, ray, sys, time
planned, deadline = int(sys.argv[1]), time.time() + float(sys.argv[2])
ray.init(logging_level="ERROR", log_to_driver=False)
while True:
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) >= planned or time.time() > deadline:
        break
    time.sleep(0.2)
print(json.dumps({node["NodeName"]: node["Resources"].get("GPU", 0) for node in nodes}))
"""


class Seat(NamedTuple):
    """One node's place in the cluster."""

    rank: int
    ip: str
    devices: int
    """GPUs, or those that are pretended on a CPU."""
    is_pretended: bool
    folder: Path
    """For sockets and logs; removed at the end."""


def seat(task: NodeTask, own: Ranks) -> Seat:
    """Return the place in the cluster of this node; a script's is without pretended devices."""
    folder = job.temporary_folder(task.job) / "ray"
    resources = task.spec.resources
    pretended = 0 if task.spec.pin.name == "script" else 1
    return Seat(
        own.rank,
        own.ip,
        resources.gpus_per_node or pretended,
        is_pretended=not resources.gpus_per_node,
        folder=folder,
    )


def authentication(token: str) -> dict[str, str]:
    """Return what Ray's processes and its driver are told, so that they know each other."""
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


@contextlib.contextmanager
def head(python: str, seat: Seat, environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """Run a Ray head and yield its address.

    Ray's workers inherit the environment of the node they are on, so everything that the trainer
    is told has to be in `environment`. Raises OutsideError when it does not come up in time.
    """
    port = free_port(seat.ip)
    place = ("--head", f"--port={port}", *_dashboard(seat))
    process = _start(python, seat, place, environment, log)
    try:
        _await(process, seat.ip, port, log)
        yield f"{seat.ip}:{port}"
    finally:
        _end(process, seat)


def _dashboard(seat: Seat) -> tuple[str, ...]:
    """Return where Ray shows its dashboard: on GPUs, to who has a shell there (`runner open`).

    A Ray that has none, or finds the port taken, starts all the same.
    """
    if seat.is_pretended:
        return ("--include-dashboard=false",)
    return ("--dashboard-host=127.0.0.1", f"--dashboard-port={DASHBOARD_PORT}")


@contextlib.contextmanager
def worker(
    python: str, seat: Seat, address: str, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Join the cluster at `address` and yield the process, which ends when the head does."""
    process = _start(python, seat, (f"--address={address}",), environment, log)
    try:
        yield process
    finally:
        _end(process, seat)


def _end(process: subprocess.Popen[bytes], seat: Seat) -> None:
    stop(process, GRACE_SECONDS)
    shutil.rmtree(seat.folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        seat.folder.parent.rmdir()  # unless it holds more than Ray's


def _start(
    python: str, seat: Seat, place: tuple[str, ...], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    command = [
        # Not the script `ray`: an image may have that elsewhere than beside its Python.
        *(python, "-m", "ray.scripts.scripts", "start", "--block", *place),
        f"--node-ip-address={seat.ip}",
        *(f"--node-name={_name(seat.rank)}", f"--num-gpus={seat.devices}"),
        *(f"--num-cpus={_cpus(seat)}", f"--temp-dir={seat.folder}", "--disable-usage-stats"),
        # Any that is free: two nodes may be two addresses of one machine.
        *("--min-worker-port=0", "--max-worker-port=0"),
        *([f"--object-store-memory={OBJECT_STORE_BYTES}"] if seat.is_pretended else []),
    ]
    with log.open("ab") as output:
        return subprocess.Popen(
            guarded(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _cpus(seat: Seat) -> int:
    least = CPUS_PER_DEVICE * max(1, seat.devices)
    return least if seat.is_pretended else max(least, len(os.sched_getaffinity(0)))


def _name(rank: int) -> str:
    return f"node-{rank}"


def _await(process: subprocess.Popen[bytes], ip: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((ip, port), 1):
            return
        time.sleep(0.1)
    raise OutsideError(f"Ray did not come up: {last_words(log) or 'it says nothing'}")


def last_words(log: Path) -> str:
    """Return the last line of a log."""
    return "".join(log.read_text(errors="replace").strip().splitlines()[-1:])


def await_nodes(
    python: str, address: str, environment: Mapping[str, str], ips: tuple[str, ...], devices: int
) -> None:
    """Wait until Ray says that it has a node with `devices` for each of `ips`, and no others.

    Raises OutsideError, which names the node, when that is not so within START_DEADLINE.
    """
    command = [python, "-c", _NODES, str(len(ips)), str(START_DEADLINE)]
    told = {**environment, "RAY_ADDRESS": address}
    patience = START_DEADLINE + 60  # for importing Ray
    try:
        done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise OutsideError(f"Ray at {address} has not answered for {patience:.0f} s") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        raise OutsideError(f"Ray at {address} does not tell its nodes: {''.join(last)}")
    _check(json.loads(done.stdout.splitlines()[-1]), ips, devices)


def _check(found: Mapping[str, float], ips: tuple[str, ...], devices: int) -> None:
    planned = {_name(rank): ip for rank, ip in enumerate(ips)}
    for name, ip in planned.items():
        plain = f"{name.replace('-', ' ')} ({ip})"
        if name not in found:
            raise OutsideError(f"{plain} has not joined Ray within {START_DEADLINE:.0f} s")
        if found[name] != devices:
            raise OutsideError(f"{plain} has {found[name]:.0f} GPUs in Ray, planned {devices}")
    if strangers := found.keys() - planned.keys():
        raise OutsideError(f"Ray has nodes that are not of this job: {', '.join(strangers)}")
