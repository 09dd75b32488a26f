"""The runner as a wheel, made of what is installed: without a network, a compiler or its sources.

A wheel is a zip of a package's files beside its metadata (packaging.python.org, "Binary
distribution format"). The same files give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

import runner
from runner.errors import OutsideError

PROJECT = "rollbook"
_TAG = "py3-none-any"
_ONE_AT_A_TIME = threading.Lock()
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold: when it was made is no content."""


class Wheel(NamedTuple):
    """A wheel's file name and bytes."""

    name: str
    content: bytes


def runner_wheel() -> Wheel:
    """Return the running runner as a wheel.

    Raises OutsideError when it is not installed, as from a bare checkout.
    """
    with _ONE_AT_A_TIME:  # runs are submitted in parallel: the others take what the first has made
        return make_wheel()


@cache
def make_wheel() -> Wheel:
    """Make the wheel, or return it when it was made before."""
    try:
        installed = distribution(PROJECT)
    except PackageNotFoundError as error:
        raise OutsideError(
            f"{PROJECT} runs without being installed, so that it cannot be sent to a node",
            cure="pip install .   in its repository",
        ) from error
    about = f"{PROJECT}-{installed.version}.dist-info"
    files = {**dict(_package(Path(runner.__file__).parent)), **_metadata(installed, about)}
    record = f"{about}/RECORD"
    files[record] = _record(files, record)
    return Wheel(f"{PROJECT}-{installed.version}-{_TAG}.whl", _zipped(files))


def _package(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder.parent).as_posix(), path.read_bytes()


def _metadata(installed: Distribution, about: str) -> dict[str, bytes]:
    wheel = f"Wheel-Version: 1.0\nGenerator: {PROJECT}\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
    texts = {
        "METADATA": installed.read_text("METADATA") or installed.read_text("PKG-INFO") or "",
        "WHEEL": wheel,
        "entry_points.txt": installed.read_text("entry_points.txt") or "",
    }
    return {f"{about}/{name}": text.encode() for name, text in texts.items()}


def _record(files: dict[str, bytes], record: str) -> bytes:
    """Return the list of the files with their digests; its own line has none."""
    lines = []
    for name, content in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        lines.append(f"{name},sha256={digest.decode()},{len(content)}\n")
    return "".join([*lines, f"{record},,\n"]).encode()


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
