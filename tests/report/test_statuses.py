"""The one line and state beside a commit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from report_values import FAILED, make_report, make_spec

from runner.forges.base import CONTEXT_LIMIT, DESCRIPTION_LIMIT
from runner.ledger.record import Attempt, RunRecord
from runner.report.progress import ProgressRow
from runner.report.statuses import Moment, Told, context_of, cut, state_of, tell

AT = datetime(2026, 1, 2, 3, 46, 5, tzinfo=UTC)
SPEC = make_spec()
SEEDS = [make_report(seed).record for seed in (1, 2, 3)]
BROKEN = make_report(2, 7, **FAILED).record


def going(seed: int = 2, **changes: Any) -> RunRecord:
    record = make_report(seed).record
    nothing = {"outcome": None, "judgements": (), "checkpoint": None, "ended_at": None}
    values = {**record.latest.model_dump(), **nothing, "state": "running", **changes}
    return record.with_latest(Attempt.model_validate(values))


def waiting(reason: str, seed: int = 1) -> RunRecord:
    return going(seed, state="waiting", started_at=None, reason=reason, step=0, steps=None)


def row(record: RunRecord, step: int, steps: int | None, *seconds: float) -> ProgressRow:
    return ProgressRow("x", record.run_id, record.seed, "running", step=step, steps=steps,
                       step_seconds=seconds)  # fmt: skip


def at(*rows: ProgressRow) -> Moment:
    return Moment(AT, {row.run_id: row for row in rows})


NOTHING_SEEN = Moment(AT)


def told(*records: RunRecord, moment: Moment = NOTHING_SEEN) -> Told:
    return tell(SPEC, records, moment)


# What goes on


def test_a_run_that_waits_says_for_what_and_since_when() -> None:
    status = told(waiting("for H100:8 on k8s"))
    assert status == ("pending", "waiting for H100:8 on k8s since 42 min")
    assert told(waiting("starting ray")).description == "waiting: starting ray, launched 42 min ago"
    assert told(going(state="claimed")).description == "waiting to be submitted since 42 min"
    assert told(waiting("")).description == "waiting for its node since 42 min"


def test_a_running_one_says_how_far_how_long_and_how_dear() -> None:
    record = going(cost_usd=31.0)
    moment = at(row(record, 41, 105, 107.0))
    text = "step 41/105, 1 h 54 min left, $31.00"
    assert told(record, moment=moment) == ("pending", text)
    both = told(SEEDS[0], record, moment=moment)
    assert both == ("pending", f"seed 2: {text}")


def test_of_several_the_one_that_ends_last_is_told() -> None:
    fast, slow = going(1), going(3)
    moment = at(row(fast, 50, 100, 1.0), row(slow, 10, 100, 1.0))
    assert told(fast, slow, moment=moment).description == (
        "seed 3: step 10/100, 1 min 30 s left; 1 other going on"
    )


def test_what_is_not_known_is_left_out() -> None:
    record = going(steps=None, step=4)
    assert told(record).description == "step 4"


# What came out


def test_the_result_is_the_headline_metric_and_whether_the_expectations_hold() -> None:
    assert told(*SEEDS) == ("success", "val/sums/accuracy 0.902 (3 seeds), all expectations hold")
    assert told(SEEDS[0]).description == "val/sums/accuracy 0.901, all expectations hold"


def test_points_of_a_matrix_have_no_mean() -> None:
    other = SEEDS[1].model_copy(update={"point": {"training.learning_rate": 1e-4}})
    assert told(SEEDS[0], other).description == "2 runs succeeded, all expectations hold"


def test_any_failure_decides_even_while_others_go_on() -> None:
    status = told(SEEDS[0], BROKEN, going(3))
    assert status.state == "failure"
    assert status.description == (
        "seed 2: failed at step 7 of 20: out of GPU memory; 1 run still going"
    )


def test_several_failures_are_counted() -> None:
    again = make_report(3, 7, **FAILED).record
    assert told(BROKEN, again).description.startswith("2 of 2 runs failed, seed 2: failed at step")


def test_an_expectation_that_does_not_hold_is_named() -> None:
    attempt = SEEDS[0].latest
    judgement = attempt.judgements[0].model_copy(update={"verdict": "fail", "value": 0.1})
    failed = attempt.model_copy(update={"judgements": (judgement, *attempt.judgements[1:])})
    status = told(SEEDS[0].with_latest(failed))
    assert status == (
        "failure",
        "trained, but val/sums/accuracy last - first >= 0.2 does not hold: 0.1",
    )


def test_the_tail_stays_when_a_reason_is_long() -> None:
    reason = f"failed: {'x' * 300}"
    long = BROKEN.with_latest(BROKEN.latest.model_copy(update={"reason": reason}))
    text = told(long, going(3)).description
    assert len(text) == DESCRIPTION_LIMIT
    assert text.endswith("…; 1 run still going")


def test_the_state_of_runs_together() -> None:
    assert state_of(SEEDS) == "success"
    assert state_of([*SEEDS, going()]) == "pending"
    assert state_of([*SEEDS, going(), BROKEN]) == "failure"


# Limits


@given(st.text(max_size=400))
def test_a_description_is_one_short_line(text: str) -> None:
    shown = cut(text)
    assert len(shown) <= DESCRIPTION_LIMIT
    assert shown == " ".join(shown.split())


def test_long_names_are_shortened_and_stay_apart() -> None:
    one, other = f"a/{'b' * 300}c", f"a/{'b' * 300}d"
    contexts = {context_of("runner", name) for name in (one, other)}
    assert len(contexts) == 2
    assert {len(context) for context in contexts} == {CONTEXT_LIMIT}
    assert all(context.startswith("runner/a/bbb") for context in contexts)
    assert context_of("runner", "a/b") == "runner/a/b"
    longest = "n" * (CONTEXT_LIMIT - len("runner/"))
    assert context_of("runner", longest) == f"runner/{longest}"
