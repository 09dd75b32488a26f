"""Every history of one record, without git: what is no move is refused, and what is one is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ledger_values import make_attempt, make_record
from legal_moves import ON, OUTCOMES, is_legal

from runner.errors import Refused
from runner.ledger.record import (
    Attempt,
    Outcome,
    RunRecord,
    State,
    advance,
    check_successor,
    may_become,
)

STATES: tuple[State, ...] = ("claimed", "submitted", "waiting", "running", "ended")
NONCES = ("n0", "n1")
states = st.sampled_from(STATES)
outcomes = st.none() | st.sampled_from(OUTCOMES)


@st.composite
def attempts(draw: st.DrawFn, number: int) -> Attempt:
    """An attempt in any state, mostly with the outcome that belongs to it, and its right number."""
    state = draw(states)
    outcome = draw(st.sampled_from(OUTCOMES)) if state == "ended" else None
    changes: dict[str, Any] = {
        "number": draw(st.sampled_from([number] * 9 + [number + 1])),
        "nonce": draw(st.sampled_from(NONCES)),
        "endpoint": draw(st.sampled_from(["here"] * 9 + ["elsewhere"])),
    }
    attempt = make_attempt(state=state, **changes)
    if draw(st.integers(0, 9)) == 0:
        outcome = draw(outcomes)
    return attempt.model_copy(update={"outcome": outcome})


@st.composite
def any_record(draw: st.DrawFn) -> RunRecord:
    several = tuple(draw(attempts(number)) for number in range(1, draw(st.integers(1, 3)) + 1))
    return make_record().model_copy(update={"attempts": several})


@st.composite
def legal_record(draw: st.DrawFn) -> RunRecord:
    """A record that a ledger may hold."""
    ended = [
        make_attempt(number=n, state="ended", outcome=draw(st.sampled_from(OUTCOMES)), nonce=nonce)
        for n, nonce in enumerate(draw(st.lists(st.sampled_from(NONCES), max_size=2)), 1)
    ]
    state = draw(states)
    outcome = draw(st.sampled_from(OUTCOMES)) if state == "ended" else None
    changes = {"outcome": outcome} if outcome else {}
    nonce = draw(st.sampled_from(NONCES))
    newest = make_attempt(number=len(ended) + 1, state=state, nonce=nonce, **changes)
    return make_record().model_copy(update={"attempts": (*ended, newest)})


@settings(max_examples=2000)
@given(before=st.none() | legal_record(), after=any_record() | legal_record())
def test_the_ledger_takes_exactly_what_moves_lead_to(
    before: RunRecord | None, after: RunRecord
) -> None:
    if is_legal(before, after):
        check_successor(before, after)
    else:
        with pytest.raises(Refused):
            check_successor(before, after)


@given(before=states, after=states)
def test_what_may_become_is_what_can_be_walked(before: State, after: State) -> None:
    reached = {before}
    while more := {state for known in reached for state in ON[known]} - reached:
        reached |= more
    assert may_become(before, after) == (after in reached)


class OneRecord(RuleBasedStateMachine):
    """A record that goes through random moves, tried ones included; beside it what it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.record = make_record()
        self.past: list[RunRecord] = []

    @initialize(nonce=st.sampled_from(NONCES))
    def claim(self, nonce: str) -> None:
        self.record = make_record(nonce=nonce)

    def _put(self, after: RunRecord) -> None:
        check_successor(self.record, after)
        self.past.append(self.record)
        self.record = after

    @rule(state=states, outcome=outcomes, step=st.integers(0, 9))
    def advance(self, state: State, outcome: Outcome | None, step: int) -> None:
        last = self.record.latest
        changes = {"outcome": outcome} if outcome else {}
        is_move = state in ON[last.state] or (state == last.state and state in _NEWS)
        if is_move and (state == "ended") == (outcome is not None):
            self._put(self.record.with_latest(advance(last, state, step=step, **changes)))
        else:
            with pytest.raises(Refused):
                advance(last, state, step=step, **changes)

    @rule(nonce=st.sampled_from(NONCES), ahead=st.integers(0, 2))
    def retry(self, nonce: str, ahead: int) -> None:
        last = self.record.latest
        claim = make_attempt(number=last.number + ahead, nonce=nonce)
        if last.state == "ended" and ahead == 1:
            self.past.append(self.record)
            self.record = self.record.with_next(claim)
        else:
            with pytest.raises(Refused):
                self.record.with_next(claim)

    @rule(data=st.data())
    def go_back_to_a_former_one(self, data: st.DataObject) -> None:
        if self.past:
            former = data.draw(st.sampled_from(self.past))
            if not is_legal(self.record, former):
                with pytest.raises(Refused):
                    check_successor(self.record, former)

    @rule(number=st.integers(0, 2), outcome=st.sampled_from(OUTCOMES))
    def rewrite_an_end(self, number: int, outcome: Outcome) -> None:
        changed = list(self.record.attempts)
        former = changed[number % len(changed)]
        if former.state != "ended" or former.outcome == outcome:
            return
        changed[number % len(changed)] = former.model_copy(update={"outcome": outcome})
        with pytest.raises(Refused, match="has ended as"):
            check_successor(
                self.record, self.record.model_copy(update={"attempts": tuple(changed)})
            )

    @invariant()
    def it_stays_a_record(self) -> None:
        record = self.record
        assert RunRecord.from_json(record.to_json()) == record
        assert [attempt.number for attempt in record.attempts] == [
            *range(1, len(record.attempts) + 1)
        ]
        assert all(attempt.state == "ended" for attempt in record.attempts[:-1])
        assert all((a.state == "ended") == (a.outcome is not None) for a in record.attempts)
        assert not self.past or is_legal(self.past[-1], record)


_NEWS = ("waiting", "running")
"""States that may be said again: another step, another reason."""

TestOneRecord = OneRecord.TestCase
TestOneRecord.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
