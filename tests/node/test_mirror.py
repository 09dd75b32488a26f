"""A store that hangs or is away delays nobody, and is given up in the end."""

from __future__ import annotations

import threading
import time

import pytest

from runner.errors import OutsideError
from runner.node import patience
from runner.node.mirror import Mirror
from runner.node.patience import patiently


@pytest.fixture
def short(monkeypatch) -> None:
    monkeypatch.setattr(patience, "STORE_PATIENCE", 0.2)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)


def away() -> None:
    raise OutsideError("away")


def test_a_store_that_hangs_does_not_hold_up_the_loop_and_is_asked_once(short):
    gate, calls = threading.Event(), []

    def hang() -> None:
        calls.append(1)
        gate.wait(30)

    mirror = Mirror(hang)
    before = time.monotonic()
    mirror.advance()
    mirror.advance()
    assert time.monotonic() - before < 0.15
    time.sleep(0.25)
    with pytest.raises(OutsideError, match="has not answered"):
        mirror.advance()
    with pytest.raises(OutsideError, match="has not answered"):
        mirror.flush()
    assert calls == [1]
    gate.set()


def test_what_is_new_since_the_publication_under_way_is_published_too():
    found, shown = ["old"], []

    def publish() -> None:
        seen = list(found)
        time.sleep(0.05)
        shown[:] = seen

    mirror = Mirror(publish)
    mirror.advance()
    time.sleep(0.02)
    found.append("new")
    mirror.flush()
    assert shown == ["old", "new"]


def test_a_store_that_is_away_is_given_up_when_patience_is_over(short):
    mirror = Mirror(away)
    mirror.advance()
    with pytest.raises(OutsideError, match="away"):
        mirror.flush()
    mirror.advance()
    time.sleep(0.25)
    with pytest.raises(OutsideError, match="away"):
        mirror.advance()
    mirror.restart_patience()
    mirror.advance()


def test_a_fault_of_ours_is_no_absence_of_the_store():
    mirror = Mirror(lambda: [][0])
    with pytest.raises(IndexError):
        mirror.flush()
    with pytest.raises(IndexError):
        mirror.advance()


def test_what_fails_is_repeated_until_it_works_or_patience_is_over(short):
    answers = [OutsideError("away"), OutsideError("away"), "done"]

    def answer() -> str:
        found = answers.pop(0)
        if isinstance(found, OutsideError):
            raise found
        return found

    assert patiently(answer) == "done"
    with pytest.raises(OutsideError, match="away"):
        patiently(away)
