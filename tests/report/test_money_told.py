"""Money on the pages: what it was, against what was expected, where, and what recoveries cost."""

from __future__ import annotations

from typing import Any

import pytest
from report_values import make_report

from runner.ledger.record import Attempt, Stay
from runner.report.experiment_page import experiment_page, groups_of
from runner.report.markdown import to_markdown
from runner.report.page import Page, Paragraph
from runner.report.progress import ProgressRow, line, row_of
from runner.report.run_page import run_page
from runner.report.sections import RunReport
from runner.report.spending import cost_line
from runner.report.statuses import Moment, moment, tell
from runner.storage.runfolder import Heartbeat

POOL = Stay(where="k8s/pool", seconds=3.1 * 3600, usd=60.0, last_step=10)
SPOT = Stay(where="gcp/us-central1/a", spot=True, seconds=1440, usd=6.0, first_step=8, last_step=20)
WEST = Stay(where="aws/us-west-2", seconds=7200)


def spent(*stays: Stay, cost: float | None, seed: int = 1, **changes: Any) -> RunReport:
    report = make_report(seed)
    told = {"stays": stays, "cost_usd": cost, "launcher": "skypilot", **changes}
    attempt = report.record.latest.model_copy(update=told)
    return report._replace(record=report.record.with_latest(attempt))


def shown(*attempts: Attempt) -> str:
    return plain(Page((Paragraph((cost_line(attempts),)),))).strip()


def plain(page: Page) -> str:
    return to_markdown(page).replace("\\$", "$")


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (spent(POOL, cost=60.0, usd=90.0),
         "**$60** of at most $90 expected · k8s/pool 3.1 h $60"),
        (spent(POOL, SPOT, cost=66.0, usd=90.0),
         "**$66** of at most $90 expected · k8s/pool 3.1 h $60 · gcp spot 0.4 h $6 · "
         "trained again after recoveries: $12"),
        (spent(POOL, cost=60.0), "**$60** · k8s/pool 3.1 h $60"),
        (spent(WEST, cost=None, usd=90.0), ""),
        (make_report(), ""),
    ],
)  # fmt: skip
def test_cost_against_what_was_expected(report: RunReport, expected: str) -> None:
    assert shown(report.record.latest) == expected


def test_attempts_whose_price_is_not_known_are_told_apart() -> None:
    attempts = [spent(POOL, cost=60.0, usd=90.0), spent(WEST, cost=None, usd=300.0)]
    assert shown(*(one.record.latest for one in attempts)) == (
        "**$60** of at most $90 expected · k8s/pool 3.1 h $60 · aws 2.0 h at an unknown price"
    )


def test_pages_say_it_of_all_their_runs() -> None:
    one, two = spent(POOL, cost=60.0, usd=90.0), spent(SPOT, cost=6.0, usd=90.0, seed=2)
    assert "**Cost**: **$60** of at most $90 expected" in plain(run_page(one))
    page = plain(experiment_page("x", groups_of([one, two])))
    assert "**Cost**: **$66** of at most $180 expected · k8s/pool 3.1 h $60 · gcp spot" in page
    failed = spent(POOL, cost=60.0, usd=90.0, outcome="over_budget", reason="x", cure="y")
    assert "**Cost**: **$60**" in plain(run_page(failed))


def test_what_goes_on_says_what_it_has_cost_so_far() -> None:
    going = {"state": "running", "outcome": None, "ended_at": None, "judgements": (), "step": 3}
    report = spent(cost=None, **going)
    beat = Heartbeat("2026-01-02T03:05:00Z", "training", 9, 20, 3600.0, 31.0)
    row = row_of(report.record, report.spec, report.curves, beat)
    assert line(row).endswith("left, $31")
    at = Moment(moment("2026-01-02T04:00:00Z"), {report.record.run_id: row})
    assert tell(report.spec, [report.record], at).description.endswith("left, $31.00")
    here: ProgressRow = row_of(report.record, report.spec, report.curves, beat._replace(usd=None))
    assert "$" not in line(here)
