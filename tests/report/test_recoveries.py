"""Recoveries on pages, in statuses and comments: how often, at which step, lost steps and cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_values import make_report

from runner.ledger.record import Attempt, Stay
from runner.report.curves import read_curves
from runner.report.experiment_page import experiment_page, groups_of
from runner.report.markdown import to_markdown
from runner.report.outcome import describe
from runner.report.recoveries import lost_usd, places, recovered
from runner.report.run_page import run_page
from runner.report.sections import RunReport
from runner.report.statuses import waiting
from runner.spec.experiment import Experiment

SPOT = {"where": "gcp/us-central1", "spot": True, "nodes": 1}


def going(**changes: Any) -> RunReport:
    """A run that has not ended."""
    made = make_report(4)
    nothing = {"outcome": None, "judgements": (), "checkpoint": None, "ended_at": None}
    values = made.record.latest.model_dump() | nothing | {"state": "running"} | changes
    attempt = Attempt.model_validate(values)
    return RunReport(made.record.with_latest(attempt), made.spec)


def stay(first: int, last: int, usd: float | None = None, **more: Any) -> Stay:
    content = {**SPOT, "seconds": 3600.0, "first_step": first, "last_step": last, "usd": usd}
    return Stay.model_validate({**content, **more})


def attempt(*stays: Stay, **more: Any) -> Attempt:
    changes = {"stays": stays, **more}
    return going().record.latest.model_copy(update=changes)


def test_what_was_lost_is_said_with_its_cost() -> None:
    assert recovered(attempt()) == recovered(attempt(stay(0, 47))) == ""
    once = attempt(stay(0, 47, 47.0), stay(40, 105, 65.0), lost_steps=7)
    assert recovered(once) == "1 (at 47, lost 7 steps, $7)"
    unknown = attempt(stay(0, 47), stay(40, 105, 65.0), lost_steps=7)
    assert recovered(unknown) == "1 (at 47, lost 7 steps)"
    thrice = attempt(stay(0, 47), stay(47, 60), stay(50, 61), stay(60, 105), lost_steps=11)
    assert recovered(thrice) == "3 (at 47, 60 and 61, lost 11 steps)"
    nothing = attempt(stay(0, 0), stay(0, 105))
    assert recovered(nothing) == "1 (at 0, lost no step)"


@pytest.mark.parametrize(
    ("stays", "cost"),
    [
        ((stay(0, 50, 10.0),), None),
        ((stay(0, 50, 10.0), stay(40, 60, 10.0)), 2.0),
        ((stay(0, 50, 10.0), stay(50, 60, 10.0)), 0.0),
        ((stay(40, 50, 10.0), stay(0, 60, 10.0)), 10.0),  # its checkpoint was not whole
        ((stay(0, 0, 10.0), stay(0, 60, 10.0)), 10.0),  # it never got to a step
        ((stay(0, 50, 10.0), stay(40, 60), stay(60, 70, 10.0)), None),
    ],
)
def test_lost_steps_cost_their_share_of_where_they_were_trained(
    stays: tuple[Stay, ...], cost: float | None
) -> None:
    assert lost_usd(stays) == (cost if cost is None else pytest.approx(cost))


def test_places_in_words() -> None:
    elsewhere = stay(40, 50, where="k8s/pool", spot=False)
    assert places(attempt(stay(0, 50), elsewhere, stay(50, 60))) == (
        "gcp/us-central1 (spot), k8s/pool"
    )
    assert places(attempt(stay(0, 50, where="local", spot=False))) == ""
    assert places(attempt(where="k8s/pool")) == "k8s/pool"


def test_pages_have_it() -> None:
    made = make_report(1)
    after = made.record.latest.model_copy(
        update={
            "stays": (stay(0, 47, 47.0), stay(40, 105, 65.0)),
            "lost_steps": 7,
            "wandb": "https://wandb.ai/team/p/runs/x",
        }
    )
    made = made._replace(record=made.record.with_latest(after))
    page = to_markdown(run_page(made))
    assert "on gcp/us-central1 (spot)" in page
    assert "recovered 1 (at 47, lost 7 steps, \\$7)" in page
    assert "2 h" in page  # both stays, and not the last one alone
    assert "[W&amp;B](https://wandb.ai/team/p/runs/x)" in page.replace("W&B]", "W&amp;B]")
    table = to_markdown(experiment_page("a", groups_of([made, make_report(2)])))
    assert "| where | recovered |" in table
    assert "1 (at 47, lost 7 steps, \\$7)" in table
    assert "recovered" not in to_markdown(experiment_page("a", groups_of([make_report(2)])))


def test_a_wait_says_since_when_and_what_comes_next() -> None:
    made = going(state="waiting", reason="for H100:8 on k8s/pool: no node is free")
    since = made.record.latest.model_copy(
        update={"waiting_since": "2026-11-20T18:00:00Z", "started_at": None}
    )
    record = made.record.with_latest(since)
    resources = {
        "accelerators": "H100:8",
        "candidates": [{"infra": "k8s/pool"}, {"infra": "gcp", "spot": True}],
    }
    spec = Experiment.model_validate(
        made.spec.model_dump(by_alias=True, mode="json") | {"resources": resources}
    )
    at = datetime(2026, 11, 20, 18, 12, tzinfo=UTC)
    assert waiting(spec, record, at) == (
        "waiting for H100:8 on k8s/pool since 12 min (no node is free); gcp (spot) from 18:30 UTC"
    )
    recovering = since.model_copy(
        update={"reason": "recovering after a preemption at step 47", "stays": (stay(0, 47),)}
    )
    record = made.record.with_latest(recovering)
    assert waiting(made.spec, record, at) == (
        "recovering after a preemption at step 47, since 12 min"
    )
    assert str(describe(recovering)) == "⏳ recovering after a preemption at step 47"


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6))
def test_curves_of_recoveries_have_neither_holes_nor_repeats(
    starts: list[tuple[int, int]],
) -> None:
    """A start goes on from a checkpoint that may lie behind, and may die before its first step."""
    epochs: list[list[str]] = []
    trained: dict[int, int] = {}
    for number, (back, steps) in enumerate(starts):
        checkpoint = max(0, max(trained, default=0) - back)
        new = range(checkpoint + 1, checkpoint + steps + 1)
        lines = [f'{{"step": {step}, "metrics": {{"m": {number}}}}}' for step in new]
        epochs.append([*lines, '{"step": 9'])  # cut off by a kill
        if steps:
            trained = {step: by for step, by in trained.items() if step <= checkpoint}
            trained |= dict.fromkeys(new, number)
    curve = read_curves(epochs).get("m")
    found = {point.step: point.value for point in curve.points} if curve else {}
    assert found == trained
    assert list(found) == list(range(1, len(found) + 1))
