"""How often an attempt is started: as its limits say, whatever takes its machines or fails it."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.node.channel import HEARTBEAT, RESULT
from runner.node.restarts import ENDED, FAILED, INTERRUPTED, Restarts, restarts_of
from runner.node.task import Limits, Result, Stop
from runner.storage.store import RunStore

DONE = Result(exit_code=0)
BROKEN = Result(exit_code=5)
OUTSIDE = Result(exit_code=3, error="no disk")
CANCELLED = Result(exit_code=5, cancelled=True)


@pytest.mark.parametrize(
    ("result", "stopped", "phase"),
    [
        (DONE, "", ENDED),
        (BROKEN, "", FAILED),
        (OUTSIDE, "", FAILED),
        (BROKEN, "signal", INTERRUPTED),
        (CANCELLED, "cancelled", ENDED),
        (BROKEN, "time_limit", ENDED),
        (BROKEN, "budget", ENDED),
        (BROKEN, "reward", ENDED),
    ],
)
def test_what_a_start_is_followed_by(result: Result, stopped: Stop, phase: str) -> None:
    limits = Limits(seconds=9, preemptions=1, errors=1)
    assert Restarts(limits).phase_after(result, stopped) == phase
    assert Restarts(Limits(seconds=9)).phase_after(result, stopped) == ENDED
    # Both have been used up.
    assert Restarts(limits, epoch=3, failures=1).phase_after(result, stopped) == ENDED


events = st.lists(st.sampled_from(["killed", "signal", "fails", "cancelled"]), max_size=12)


@given(events, st.integers(0, 3), st.integers(0, 3))
def test_it_trains_no_more_often_than_its_limits_allow(
    happens: list[str], preemptions: int, errors: int
) -> None:
    """SkyPilot starts a job again after each preemption, and after a failure as often as told."""
    store = RunStore(f"memory://restarts-{uuid.uuid4().hex}")
    limits = Limits(seconds=9, preemptions=preemptions, errors=errors)
    trained, taken, failed = 0, 0, 0
    for epoch, event in enumerate([*happens, "ends"], 1):
        known = restarts_of(store, "a1", epoch, limits)
        if known.last:
            break
        assert (known.preemptions, known.failures) == (taken, failed)
        if known.excess:
            assert taken > preemptions
            _leave(store, epoch, ENDED, OUTSIDE)
            continue
        trained += 1
        if event == "killed":  # without a word
            _leave(store, epoch, "training", None)
            taken += 1
            continue
        result = {"ends": DONE, "cancelled": CANCELLED}.get(event, BROKEN)
        stopped: Stop = "signal" if event == "signal" else ""
        phase = known.phase_after(result, stopped)
        _leave(store, epoch, phase, result if phase == ENDED else None)
        taken, failed = taken + (phase == INTERRUPTED), failed + (phase == FAILED)
    assert failed <= errors
    assert trained <= 1 + preemptions + errors


def _leave(store: RunStore, epoch: int, phase: str, result: Result | None) -> None:
    beat = {"phase": phase, "seconds": 1.0}
    store.put(f"a1/epoch-{epoch}/{HEARTBEAT}", json.dumps(beat).encode())
    if result:
        store.put(f"a1/epoch-{epoch}/{RESULT}", result.model_dump_json().encode())
