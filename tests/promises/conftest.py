"""What these tests take from the folders beside them, and the seed of their random choices."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("faults", "github", "ledger")]

SEED = "ROLLBOOK_SEED"
"""Environment variable with the seed; without it each run of the tests takes another one."""

settings.register_profile(
    "promises", deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def seed() -> int:
    """Return the seed of this test, and print it: pytest shows it when the test fails."""
    given = os.environ.get(SEED)
    chosen = int(given) if given else random.SystemRandom().randrange(2**32)
    print(f"again with the same choices: {SEED}={chosen}")
    return chosen
