"""A trainer's published wheel, fetched with pip, and what it is called."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from runner.errors import OutsideError, Refused

TIMEOUT = 600


def fetch(name: str, version: str, folder: Path) -> Path:
    """Return the wheel of `name==version` in `folder`, downloaded when it is not there yet.

    Raises OutsideError when pip cannot get it; nothing of it is installed or imported.
    """
    if found := find(name, version, folder):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), f"{name}=={version}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise OutsideError(f"pip did not get {name}=={version} in {TIMEOUT} s") from None
    found = find(name, version, folder)
    if done.returncode or not found:
        said = done.stderr.strip().splitlines()[-1:] or ["no wheel"]
        raise OutsideError(
            f"pip cannot get the wheel of {name}=={version}: {said[0]}",
            cure="check the version and the network, or give the file with --wheel",
        )
    return found


def find(name: str, version: str, folder: Path) -> Path | None:
    """Return the wheel of `name==version` that lies in `folder`, or None."""
    stem = f"{name.replace('-', '_').lower()}-{version}-"
    return next((one for one in folder.glob("*.whl") if one.name.lower().startswith(stem)), None)


def check(wheel: Path, name: str, version: str) -> Path:
    """Return `wheel`; raises Refused when it is not one of `name==version`."""
    if find(name, version, wheel.parent) is None or not wheel.name.lower().startswith(
        f"{name.replace('-', '_').lower()}-{version}-"
    ):
        raise Refused(
            f"{wheel.name} is no wheel of {name}=={version}",
            cure=f"give the file whose name begins with {name}-{version}-",
        )
    return wheel


def digest(wheel: Path) -> str:
    """Return the SHA-256 of the file, as the package index states it."""
    return hashlib.sha256(wheel.read_bytes()).hexdigest()
