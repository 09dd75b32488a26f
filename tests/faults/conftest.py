"""One world for all tests that kill the command line, with the states that they start from."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("following", "github", "launching")]


@pytest.fixture(scope="session")
def faults_random() -> random.Random:
    """Choose what is sampled; ROLLBOOK_SEED=… chooses the same again."""
    seed = os.environ.get("ROLLBOOK_SEED") or str(random.SystemRandom().randrange(10**6))
    print(f"ROLLBOOK_SEED={seed}", file=sys.stderr)
    return random.Random(seed)  # noqa: S311 - a test's choice


@pytest.fixture(scope="session")
def started_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Make the registry once, with real commands."""
    from fault_states import serving_states

    with serving_states(tmp_path_factory.mktemp("faults")) as states:
        yield states
