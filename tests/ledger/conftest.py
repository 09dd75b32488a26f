"""A ledger that has just been made."""

from __future__ import annotations

import pytest
from ledger_values import make_ledger
from real_git import MakeRepository

from runner.ledger.branch import Ledger


@pytest.fixture
def ledger(make_repository: MakeRepository) -> Ledger:
    made = make_ledger(make_repository())
    made.create()
    return made
