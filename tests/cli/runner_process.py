"""The command line as people and scripts meet it: a process with exit code and two streams."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

RUNNER = [sys.executable, "-m", "runner"]


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUNNER, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def terminal(folder: Path, *arguments: str, **environment: str) -> str:
    """Return what a person sees who runs this in a terminal, both streams together."""
    main, other = pty.openpty()
    process = subprocess.Popen(
        [*RUNNER, *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=other,
        stdout=other,
        stderr=other,
    )
    os.close(other)
    seen = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not chunk:
            break
        seen += chunk
    process.wait(timeout=60)
    os.close(main)
    return seen.decode()
