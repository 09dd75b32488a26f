"""What was measured on a validation set is told where another metric heads the page."""

from __future__ import annotations

from report_values import make_curves, make_report, make_spec

from runner.report.experiment_page import experiment_page, groups_of
from runner.report.markdown import to_markdown
from runner.report.plots import result_panels
from runner.report.run_page import run_page

SPEC = make_spec(expect=[{"reward/mean": "last > 0"}])


def test_it_is_drawn_beside_the_metric_that_was_expected() -> None:
    panels = result_panels(SPEC, {1: make_curves()})
    assert [panel.metric for panel in panels] == ["reward/mean", "val/sums/accuracy"]


def test_it_has_a_line_on_the_pages() -> None:
    report = make_report(1)._replace(spec=SPEC)
    for page in (run_page(report), experiment_page("sums/grpo", groups_of([report]))):
        assert "**Validation**: `val/sums/accuracy` 0.401 → 0.901" in to_markdown(page)


def test_it_is_not_told_twice_where_it_heads_the_page() -> None:
    report = make_report(1)
    for page in (run_page(report), experiment_page("sums/grpo", groups_of([report]))):
        assert "Validation" not in to_markdown(page)
