"""Published wheels of the trainers, unpacked, for tests that hold our code to theirs.

Taken from .cache/wheels below the repository, or else from the package index by pip. Where neither
works the test is skipped with the reason, unless RUNNER_TESTS_MANDATORY says `oracles`.
"""

from __future__ import annotations

import importlib.util
import os
import zipfile
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from runner.errors import OutsideError
from runner.trainers.keys.wheel import fetch

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "wheels"


@cache
def unpacked(package: str, version: str) -> Path:
    """Return a folder with the content of `package==version`; download it if need be."""
    folder = CACHE / f"{package}-{version}"
    if not folder.exists():
        draft = folder.with_suffix(f".{os.getpid()}")
        with zipfile.ZipFile(_wheel(package, version)) as archive:
            archive.extractall(draft)
        draft.rename(folder)
    return folder


def module(package: str, version: str, path: str) -> ModuleType:
    """Import one file of a package by its path, without what is above it."""
    file = unpacked(package, version) / path
    spec = importlib.util.spec_from_file_location(f"oracle_{file.parent.name}_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file}")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def _wheel(package: str, version: str) -> Path:
    try:
        return fetch(package, version, CACHE)
    except OutsideError as error:
        if "oracles" in os.environ.get("RUNNER_TESTS_MANDATORY", ""):
            raise
        pytest.skip(str(error))
