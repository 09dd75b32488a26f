"""Child processes that do not outlive the node program."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterable


def guarded(command: Iterable[str]) -> list[str]:
    """Return `command` such that the kernel kills it when the process that started it dies."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]


def stop(process: subprocess.Popen[bytes], grace: float) -> int:
    """Ask `process` to end, kill it after `grace` seconds, and return its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()
