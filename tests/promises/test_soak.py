"""Some hundreds of runs with random faults: nothing is lost, and nothing is trained twice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from soak import World

STEPS = "ROLLBOOK_SOAK_STEPS"
"""Environment variable: how many steps the long soak takes."""


def soak(folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch, steps: int) -> World:
    world = World(folder, seed, monkeypatch)
    began = time.monotonic()
    try:
        for _ in range(steps):
            world.step()
        took = time.monotonic() - began
        world.settle()
    except BaseException:
        print("\n".join(world.history))
        raise
    jobs, records = len(world.cluster.jobs), world.watch.records
    attempts = sum(len(record.attempts) for record in records.values())
    print(f"{steps} steps, {steps / took:.0f} a second: {len(records)} runs, {attempts} attempts,")
    print(f"{jobs} jobs, {len(world.watch.subjects)} commits; {dict(world.counts)}")
    print(dict(world.cluster.counts))
    return world


@pytest.mark.timeout(900)  # half a minute of one core; a loaded machine has less than one
def test_a_short_soak(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = soak(tmp_path, seed, monkeypatch, steps=400)
    assert world.counts["killed"], "nothing was killed: the soak has lost its faults"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_long_soak(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = soak(tmp_path, seed, monkeypatch, steps=int(os.environ.get(STEPS, "3000")))
    assert len(world.watch.records) >= 200 or STEPS in os.environ
