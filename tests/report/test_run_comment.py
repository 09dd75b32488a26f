"""The comment about an experiment's runs, from their start to the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from report_values import FAILED, make_report
from test_pages import check, going

from runner.forges.base import COMMENT_LIMIT
from runner.report.progress import row_of
from runner.report.run_comment import About, run_comment
from runner.report.sections import RunReport
from runner.report.statuses import Moment, tell
from runner.storage.runfolder import Heartbeat

AT = datetime(2026, 1, 2, 3, 6, 11, tzinfo=UTC)
MARKER = "<!-- rollbook:run:v1 sums/grpo -->\n"


def address(path: str) -> str:
    return f"https://forge.example/team/registry/blob/runs/{path}"


def about(*reports: RunReport, name: str = "sums/grpo", link: Any = address) -> About:
    beat = Heartbeat("2026-01-02T03:06:11Z", "training", 9, 20, 60.0)
    rows = {
        report.record.run_id: row_of(report.record, report.spec, make_report(4, 9).curves, beat)
        for report in reports
        if report.record.is_active
    }
    moment = Moment(AT, rows)
    told = tell(reports[0].spec, [report.record for report in reports], moment)
    return About(name, told, reports, moment, link, "c" * 40)


def owned(report: RunReport, owner: str) -> RunReport:
    return report._replace(spec=report.spec.model_copy(update={"owner": owner}))


def test_while_runs_go_on() -> None:
    text = run_comment(about(make_report(1), owned(going(), "alice")))
    check("comment-running.md", text)
    assert text.startswith(MARKER)
    assert "@alice" not in text


def test_when_all_have_succeeded() -> None:
    reports = [owned(make_report(seed), "alice") for seed in (1, 2, 3)]
    text = run_comment(about(*reports))
    check("comment-succeeded.md", text)
    assert text.count("@alice") == 1


def test_when_one_has_failed() -> None:
    text = run_comment(about(make_report(2, 7, **FAILED)))
    check("comment-failed.md", text)
    for needed in ("step 7 of 20", "CUDA out of memory", "**Cure**", "runner retry 000000000002"):
        assert needed in text
    assert "|" not in text


def test_links_are_addresses_and_pictures_their_bytes() -> None:
    text = run_comment(about(make_report(1)))
    page = "https://forge.example/team/registry/blob/runs/experiments/sums/grpo"
    assert f"]({page}/README.md)" in text
    assert f"]({page}/plots/result.svg?raw=true)" in text
    run = "https://forge.example/team/registry/blob/runs/runs/00/000000000001/README.md"
    assert f"]({run})" in text
    assert "](.." not in text


def test_without_addresses_there_are_no_links() -> None:
    text = run_comment(about(make_report(1), link=lambda path: ""))
    assert "](" not in text
    assert "00000000" in text


@pytest.mark.parametrize("owner", ["a" * 40, "team/all", "alice @bob", "a_b"])
def test_what_cannot_be_a_login_is_not_mentioned(owner: str) -> None:
    text = run_comment(about(owned(make_report(1), owner)))
    assert f"@{owner}" not in text
    assert "@bob" not in text


def test_hundreds_of_runs_stay_within_the_limit_with_the_failed_first() -> None:
    reports = [make_report(seed) for seed in range(1, 300)]
    failed = [make_report(seed, 7, **FAILED) for seed in range(300, 310)]
    text = run_comment(about(*reports, *failed))
    assert len(text.encode()) <= COMMENT_LIMIT
    assert "285 more runs on" in text
    assert "7 more runs failed" in text
    assert "seed 300: ❌ failed at step 7 of 20" in text


def test_a_huge_log_line_does_not_break_the_limit() -> None:
    cure = "x" * COMMENT_LIMIT
    report = make_report(2, 7, **FAILED)
    latest = report.record.latest.model_copy(update={"cure": cure})
    text = run_comment(about(report._replace(record=report.record.with_latest(latest))))
    assert len(text.encode()) <= COMMENT_LIMIT
    assert text.startswith(MARKER)
    assert "failed at step 7 of 20" in text


def test_a_hostile_spec_stays_text() -> None:
    report = make_report(2, 7, **FAILED)
    reason = "failed: @all <!-- rollbook:plan:v1 --> ![x](http://x) [y](http://y)"
    latest = report.record.latest.model_copy(update={"reason": reason, "cure": reason})
    text = run_comment(about(report._replace(record=report.record.with_latest(latest))))
    rest = text.removeprefix(MARKER)
    for never in ("<!--", "@all", "![x]", "](http://"):
        assert never not in rest
