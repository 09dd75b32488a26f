"""The page of one reproduction: the verdict, each level with its reason, then and now."""

from __future__ import annotations

from collections.abc import Sequence

from runner.ledger.record import RunRecord
from runner.report.ladder import Comparison, Level, Verdict
from runner.report.notation import duration, number, signed, usd
from runner.report.page import Block, Code, Heading, Line, Page, Strong, Table, cells, paragraph

_REACHED = {True: "yes", False: "no", None: "not judged"}
_WORDS = {
    "bitwise": "BITWISE: the same run, number for number",
    "curve": "CURVE: the same curves within tolerance",
    "statistical": "STATISTICAL: equivalent within the margin",
    "claim": "CLAIM HOLDS",
    "inconclusive": "INCONCLUSIVE",
    "not_reproduced": "NOT REPRODUCED",
}


def repeat_page(
    record: RunRecord,
    label: str,
    verdict: Verdict,
    differences: Sequence[str],
    seconds: float,
    cost: float | None = None,
) -> Page:
    """Return the page of repeat `label` of `record`; `differences` are the environment's.

    `cost` is in US dollars; None where no price was known.
    """
    title = f"{record.experiment}, seed {record.seed}: repeat {label} of {record.run_id}"
    blocks: list[Block] = [
        Heading((title,)),
        paragraph("Verdict: ", Strong(_WORDS[verdict.verdict])),
        _levels(verdict.levels),
    ]
    if verdict.metrics:
        blocks.append(_metrics(verdict.metrics))
    blocks.append(_setup(differences))
    spent = f", {usd(cost)}" if cost is not None else ""
    blocks.append(paragraph("Took ", duration(seconds), spent))
    again = f"runner reproduce {record.run_id}"
    blocks.append(paragraph("Again: ", Code(again)))
    return Page(tuple(blocks))


def _levels(levels: Sequence[Level]) -> Table:
    rows = (cells(level.name, _REACHED[level.reached], level.why) for level in levels)
    return Table(("level", "reached", "why"), tuple(rows))


def _metrics(metrics: Sequence[Comparison]) -> Table:
    header = ("metric", "then", "now", "difference", "inside")
    return Table(header, tuple(_row(metric) for metric in metrics))


def _row(metric: Comparison) -> tuple[Line, ...]:
    return cells(
        metric.name,
        _number(metric.then),
        _number(metric.now),
        signed(metric.difference) if metric.difference is not None else "–",
        {True: "yes", False: "no", None: "–"}[metric.within],
    )


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _setup(differences: Sequence[str]) -> Block:
    if not differences:
        return paragraph(
            Strong("Same setup"), ": yes. So this is repeatability (ACM), not reproducibility."
        )
    return paragraph(Strong("Setup differs"), ": ", "; ".join(differences))
