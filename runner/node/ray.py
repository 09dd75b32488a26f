"""Ray on one node: started before the trainer, stopped after it, nothing left behind."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.errors import OutsideError
from runner.node.process import guarded, stop

START_DEADLINE = 120.0
CPUS_PER_DEVICE = 8
"""CPUs that Ray is told of per device: verl's placement group wants 3, its workers some more."""
OBJECT_STORE_BYTES = 200_000_000


@contextlib.contextmanager
def cluster(
    python: str, devices: int, environment: Mapping[str, str], folder: Path, log: Path
) -> Iterator[str]:
    """Run a Ray head for `devices` (pretended ones on a CPU) and yield its address.

    `folder` is for its sockets and logs; with a short name, for a socket's path has a limit.

    Ray's workers inherit the environment of the head, so everything that the trainer is told has
    to be in `environment`. Raises OutsideError when the head does not come up in time.
    """
    port = _free_port()
    with log.open("ab") as output:
        head = subprocess.Popen(
            guarded(_command(python, port, devices, folder)),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(head, port, log)
        yield f"127.0.0.1:{port}"
    finally:
        stop(head, grace=20)


def _command(python: str, port: int, devices: int, folder: Path) -> list[str]:
    ray = Path(python).parent / "ray"
    return [
        *(str(ray), "start", "--head", "--block", f"--port={port}", f"--num-gpus={devices}"),
        *(f"--num-cpus={CPUS_PER_DEVICE * devices}", f"--temp-dir={folder}"),
        *("--include-dashboard=false", "--disable-usage-stats", "--node-ip-address=127.0.0.1"),
        f"--object-store-memory={OBJECT_STORE_BYTES}",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(head: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and head.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise OutsideError(f"Ray did not come up within {START_DEADLINE:.0f} s: {''.join(last)}")
