"""The ledger's front page: every experiment with its headline metric, outcome and date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.ledger.record import RunRecord
from runner.report.headline import headline_metric
from runner.report.notation import number, plural
from runner.report.outcome import describe_all
from runner.report.page import Code, Heading, Line, Link, Page, cells, compact_table, paragraph
from runner.report.sections import day
from runner.report.stats import interval
from runner.spec.experiment import Experiment


class Standing(NamedTuple):
    """An experiment and the runs of its present version."""

    experiment: str
    spec: Experiment
    records: tuple[RunRecord, ...]


def leaderboard(standings: Sequence[Standing]) -> Page:
    """Return the front page, by name; an experiment with a matrix has a row per point."""
    ordered = sorted(standings, key=lambda standing: standing.experiment)
    rows = [row for standing in ordered for row in _rows(standing)]
    header = ("experiment", "point", "metric", "last", "95 % interval", "seeds", "outcome", "date")
    runs = sum(len(standing.records) for standing in standings)
    count = f"{plural(len(standings), 'experiment')}, {plural(runs, 'run')}. Written by "
    title = Heading(("Experiments",))
    if not rows:
        return Page((title, paragraph("No run is recorded yet.")))
    return Page(
        (
            title,
            paragraph(count, Code("runner sync"), ": changes by hand are lost."),
            compact_table(header, tuple(rows)),
        )
    )


def _rows(standing: Standing) -> list[tuple[Line, ...]]:
    points: dict[str, list[RunRecord]] = {}
    for record in standing.records:
        point = ", ".join(f"{key}={value}" for key, value in record.point.items())
        points.setdefault(point, []).append(record)
    return [_row(standing, point, points[point]) for point in sorted(points)]


def _row(standing: Standing, point: str, records: Sequence[RunRecord]) -> tuple[Line, ...]:
    done = [one.latest for one in records if one.latest.outcome == "succeeded"]
    metric = headline_metric(standing.spec, {name for one in done for name in one.metrics})
    values = [one.metrics[metric] for one in done if metric in one.metrics] if metric else []
    around = interval(values)
    return (
        (Link(standing.experiment, f"experiments/{standing.experiment}/README.md"),),
        (point,),
        (Code(metric),) if metric else (),
        (number(sum(values) / len(values)),) if values else (),
        (f"{number(around.low)} to {number(around.high)}",) if around else (),
        *cells(str(len(records)), str(describe_all(records)), max(day(r.latest) for r in records)),
    )
