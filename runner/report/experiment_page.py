"""The page of an experiment, `experiments/<name>/README.md` on the ledger: its seeds together.

Seeds of one point of the matrix form a group. Means and intervals are taken within a group, over
runs that succeeded, and from two seeds up; one seed supports no claim about a difference.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import NamedTuple

from runner.ledger.record import RunRecord, folder
from runner.report import sections
from runner.report.headline import headline_metric
from runner.report.notation import number, plural
from runner.report.outcome import describe, describe_all, progress, short
from runner.report.page import (
    Block,
    Code,
    Folded,
    Heading,
    Image,
    Line,
    Link,
    Page,
    Paragraph,
    Strong,
    cells,
    compact_table,
    paragraph,
)
from runner.report.recoveries import places, recovered
from runner.report.run_page import ALT
from runner.report.sections import RunReport
from runner.report.spending import cost_line
from runner.report.stats import interval, prediction


class Group(NamedTuple):
    """The seeds of one point of an experiment's matrix."""

    point: str
    """Such as `training.learning_rate=1e-6`; empty without a matrix."""
    runs: tuple[RunReport, ...]
    plots: tuple[str, ...] = ()
    """Pictures beside the page, by relative path."""


def page_path(experiment: str) -> str:
    """Return where an experiment's page lies on the ledger."""
    return f"experiments/{experiment}/README.md"


def run_link(experiment: str, record: RunRecord) -> Link:
    """Return a link from an experiment's page to a run's."""
    target = posixpath.join(folder(record.run_id), "README.md")
    start = posixpath.dirname(page_path(experiment))
    return Link(record.run_id[:8], posixpath.relpath(target, start))


def groups_of(runs: Sequence[RunReport]) -> tuple[Group, ...]:
    """Return the runs by point of the matrix, each group's by seed."""
    found: dict[str, list[RunReport]] = {}
    for report in sorted(runs, key=lambda report: report.record.seed):
        point = ", ".join(f"{key}={value}" for key, value in report.record.point.items())
        found.setdefault(point, []).append(report)
    return tuple(Group(point, tuple(found[point])) for point in sorted(found))


def experiment_page(name: str, groups: Sequence[Group], history: Sequence[RunRecord] = ()) -> Page:
    """Return an experiment's page.

    `groups` are the runs of its present spec; `history` are runs of earlier versions of it.
    """
    records = [report.record for group in groups for report in group.runs]
    blocks: list[Block] = [Heading((f"{name}: {describe_all(records)}",))]
    blocks += _purpose(groups)
    for group in groups:
        blocks += _group(name, group)
    blocks += _next(name, records)
    if history:
        blocks.append(_history(name, history))
    return Page(tuple(blocks))


def _next(name: str, records: Sequence[RunRecord]) -> list[Block]:
    """Return the command that comes next: a repeat of what succeeded, else another attempt."""
    if any(record.latest.outcome == "succeeded" for record in records):
        return [paragraph(Strong("Again"), ": ", Code(f"runner reproduce {name}"))]
    if any(record.is_active for record in records):
        return [paragraph(Strong("Follow"), ": ", Code("runner sync --watch"))]
    cures = [record.latest.cure for record in records if record.latest.cure]
    lines: list[Line] = [(Strong("Cure"), ": ", cure) for cure in cures[:1]]
    return [Paragraph((*lines, (Strong("Next"), ": ", Code(f"runner retry {name}"))))]


def _purpose(groups: Sequence[Group]) -> list[Block]:
    if not groups:
        return []
    spec = groups[0].runs[0].spec
    lines: list[Line] = [(spec.description,)] if spec.description else []
    if spec.hypothesis:
        lines.append((Strong("Hypothesis"), ": ", spec.hypothesis))
    return [Paragraph(tuple(lines))] if lines else []


def _group(name: str, group: Group) -> list[Block]:
    blocks = first_screen(name, group)
    lines = tuple(
        (Strong(title), ": ", *line)
        for title, line in _findings(group, group_headline(group.runs))
        if line
    )
    return [*blocks, Paragraph(lines)] if lines else blocks


def first_screen(name: str, group: Group) -> list[Block]:
    """Return what a reader needs first of a group: the result, its runs, what was expected."""
    blocks: list[Block] = [Heading((group.point,), 2)] if group.point else []
    headline = group_headline(group.runs)
    if headline:
        blocks.append(Paragraph((_headline(headline, group),)))
    blocks.append(_runs_table(name, group, headline))
    blocks += [Image(ALT.get(f"plots/{path.rsplit('/')[-1]}", path), path) for path in group.plots]
    columns = [(f"seed {one.record.seed}", one.record.latest.judgements) for one in group.runs]
    expectations = sections.expectations_table(columns)
    return [*blocks, expectations] if expectations else blocks


def group_headline(runs: Sequence[RunReport]) -> str | None:
    """Return the metric that stands for the runs: the best candidate that any of them measured."""
    measured = {name for one in runs for name in (*one.curves.by_name, *one.record.latest.metrics)}
    return headline_metric(runs[0].spec, measured) if runs else None


def last_values(runs: Sequence[RunReport], metric: str, statistic: str = "last") -> list[float]:
    """Return a statistic of the metric for each run that succeeded and measured it."""
    done = [one for one in runs if one.record.latest.outcome == "succeeded"]
    curves = [one.curves.get(metric) for one in done]
    return [getattr(curve, statistic) for curve in curves if curve and curve.is_finite]


def _headline(metric: str, group: Group) -> Line:
    lasts = last_values(group.runs, metric)
    if not lasts:
        return ("No run has succeeded so far.",)
    firsts = last_values(group.runs, metric, "first")
    shown = f"{metric} {number(sum(firsts) / len(firsts))} → {number(sum(lasts) / len(lasts))}"
    around = interval(lasts)
    of = f"{len(lasts)} of " if len(lasts) < len(group.runs) else ""
    count = of + plural(len(group.runs), "seed")
    if around is None:
        return (Strong(shown), f" ({count})")
    ends = f"{number(around.low)} to {number(around.high)}"
    return (Strong(shown), f" ({count}, 95 % interval of the mean {ends})")


def _runs_table(name: str, group: Group, headline: str | None) -> Block:
    rows = tuple(_run_row(name, report, headline) for report in group.runs)
    header = ("seed", "run", "state", "first", "last", "best (step)", "steps", "time", "cost")
    return compact_table((*header, "where", "recovered", "attempts"), rows)


def _run_row(name: str, report: RunReport, headline: str | None) -> tuple[Line, ...]:
    record, attempt = report.record, report.record.latest
    curve = report.curves.get(headline) if headline else None
    values = ("", "", "")
    if curve and headline:
        values = (number(curve.first), number(curve.last), sections.best(headline, curve))
    elif headline in attempt.metrics:
        values = ("", number(attempt.metrics[headline]), "")
    tries = "" if attempt.number == 1 else str(attempt.number)
    taken, cost = sections.time_taken(report), sections.money(attempt.cost_usd)
    front = cells(str(record.seed), run_link(name, record), short(attempt))
    ran = (places(attempt), recovered(attempt))
    return (*front, *cells(*values, progress(attempt), taken, cost, *ran, tries))


def _findings(group: Group, headline: str | None) -> list[tuple[str, Line]]:
    shown = next((one for one in group.runs if one.curves), None)
    seed = f"seed {shown.record.seed}: " if shown and len(group.runs) > 1 else ""
    validated = sections.validation_line(shown.spec, shown.curves, headline) if shown else ()
    health = sections.health_line(shown.curves) if shown else ()
    evidence = sections.evidence_line(shown) if shown else ()
    return [
        ("How sure", _how_sure(group, headline)),
        ("Validation", (seed, *validated) if validated else ()),
        ("Health", (seed, *health) if health else ()),
        ("Evidence", (seed, *evidence) if evidence else ()),
        ("Cost", cost_line([one for run in group.runs for one in run.record.attempts])),
    ]


def _how_sure(group: Group, headline: str | None) -> Line:
    lasts = last_values(group.runs, headline) if headline else []
    if not lasts:
        return ()
    expected = prediction(lasts)
    if expected is None:
        return ("one seed says nothing about the spread; no difference can be claimed from it.",)
    ends = f"{number(expected.low)} and {number(expected.high)}"
    return (f"one more seed is expected with 95 % between {ends}, from {len(lasts)} seeds.",)


def _history(name: str, history: Sequence[RunRecord]) -> Folded:
    newest = sorted(history, key=lambda record: record.latest.claimed_at, reverse=True)
    rows = tuple(
        cells(
            sections.day(record.latest),
            run_link(name, record),
            str(record.seed),
            str(describe(record.latest)),
            Code(record.latest.commit[:10]),
        )
        for record in newest
    )
    table = compact_table(("date", "run", "seed", "outcome", "commit"), rows)
    return Folded(f"{plural(len(history), 'run')} of earlier versions", (table,))
