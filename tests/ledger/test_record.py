"""Every transition of TRANSITIONS, allowed and forbidden, and what a record may become."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_values import make_attempt, make_record

from runner.errors import Refused
from runner.ledger.record import (
    TRANSITIONS,
    Outcome,
    RunRecord,
    State,
    advance,
    check_successor,
    ledger_json,
    may_become,
)

STATES: tuple[State, ...] = get_args(State)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
states = st.sampled_from(STATES)
outcomes = st.none() | st.sampled_from(OUTCOMES)


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(STATES)
    assert all(may_become("claimed", state) for state in STATES)
    assert not TRANSITIONS["ended"]


@given(before=states, after=states, outcome=outcomes)
def test_advance_makes_exactly_the_transitions_that_are_data(
    before: State, after: State, outcome: Outcome | None
) -> None:
    attempt = make_attempt(state=before)
    allowed = after in TRANSITIONS[before] and (after == "ended") == (outcome is not None)
    changes = {} if outcome is None else {"outcome": outcome}
    if allowed:
        moved = advance(attempt, after, **changes, step=3)
        assert (moved.state, moved.outcome, moved.step) == (after, outcome, 3)
        assert attempt.state == before
    else:
        with pytest.raises(Refused):
            advance(attempt, after, **changes)


@given(path=st.lists(states, min_size=1, max_size=6))
def test_what_steps_can_reach_may_be_committed_at_once(path: list[State]) -> None:
    follows = all(b in TRANSITIONS[a] for a, b in pairwise(path))
    if follows:
        assert may_become(path[0], path[-1])


@given(before=states, after=states)
def test_the_ledger_lets_no_state_go_back(before: State, after: State) -> None:
    old, new = make_record(state=before), make_record(state=after)
    if may_become(before, after):
        check_successor(old, new)
    else:
        with pytest.raises(Refused):
            check_successor(old, new)
    forth_and_back = may_become(before, after) and may_become(after, before)
    assert not forth_and_back or before == after or {before, after} == {"waiting", "running"}


@given(before=st.sampled_from(OUTCOMES), after=st.sampled_from(OUTCOMES))
def test_an_outcome_stays(before: Outcome, after: Outcome) -> None:
    old = make_record(state="ended", outcome=before)
    new = make_record(state="ended", outcome=after, cost_usd=1.5)
    if before == after:
        check_successor(old, new)
    else:
        with pytest.raises(Refused, match="has ended as"):
            check_successor(old, new)


def test_a_claim_is_never_taken_over() -> None:
    with pytest.raises(Refused, match="claimed by someone else"):
        check_successor(make_record(), make_record(nonce="another"))


def test_another_attempt_needs_the_last_one_to_have_ended() -> None:
    going, ended = make_record(state="running"), make_record(state="ended")
    second = make_attempt(number=2)
    with pytest.raises(Refused, match="not ended"):
        going.with_next(second)
    assert [a.number for a in ended.with_next(second).attempts] == [1, 2]
    with pytest.raises(Refused, match="numbered"):
        ended.with_next(make_attempt(number=3))
    with pytest.raises(Refused, match="attempts became"):
        check_successor(ended.with_next(second), ended)
    with pytest.raises(Refused, match="numbered"):
        check_successor(None, make_record(number=2))


def test_a_run_keeps_its_identity() -> None:
    with pytest.raises(Refused, match="cannot become run"):
        check_successor(make_record("aa"), make_record("bb"))


def test_json_comes_back_and_reads_well() -> None:
    record = make_record(state="ended", metrics={"reward/mean": 1.0, "é": 1e-6})
    assert RunRecord.from_json(record.to_json()) == record
    assert ledger_json({"b": 1, "a": ["é"]}) == '{\n "a": [\n  "é"\n ],\n "b": 1\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        ledger_json(math.nan)
