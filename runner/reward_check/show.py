"""The reward check in a terminal."""

from __future__ import annotations

from runner.report.page import Code, Page, Paragraph, Table, cells, paragraph
from runner.report.plan.reward import RewardTable

_MARKS = {"ok": "ok", "bad": "BAD", "note": "note"}
_VERDICTS = {
    "ok": "ok",
    "bad": "bad: nothing sound can be learned by it",
    "note": "no fault, and something to look at",
}


def page(table: RewardTable) -> Page:
    """Return what was found about one reward."""
    rows = "1 row" if table.count == 1 else f"{table.count} rows"
    origin = f" on {rows}, from {table.rows_from}, in {table.seconds:.1f} s" if table.count else ""
    title = paragraph(Code(table.reward), origin)
    if table.error:
        return Page((title, paragraph(table.error)))
    header = ("answer given", "expected", "mean score", "", "")
    content = tuple(
        cells(row.answer, row.expected, row.score, _MARKS[row.verdict], row.note)
        for row in table.rows
    )
    verdict = Paragraph(((f"Verdict: {_VERDICTS[table.verdict]}",),))
    return Page((title, Table(header, content), verdict))
