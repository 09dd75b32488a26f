"""The page of one run, as `runs/<2 hex>/<run id>/README.md` on the ledger.

A run that failed shows what a person needs and nothing else: where it stopped and why, the log
line that says so, one cure, the next command. All else is folded.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.ledger.record import RunRecord
from runner.report import sections
from runner.report.judge import judge
from runner.report.notation import plural
from runner.report.outcome import describe, progress
from runner.report.page import (
    Block,
    Code,
    Folded,
    Heading,
    Image,
    Line,
    Log,
    Page,
    Paragraph,
    Strong,
    Table,
    cells,
    compact_table,
    paragraph,
)
from runner.report.recoveries import places, recovered
from runner.report.sections import RunReport
from runner.report.spending import cost_line

ALT = {
    "plots/result.svg": "accuracy, reward or loss over steps",
    "plots/health.svg": "entropy, KL, length of answers and gradient norm over steps",
}


def run_page(report: RunReport, plots: Sequence[str] = ()) -> Page:
    """Return a run's page; `plots` are the pictures beside it, by relative path."""
    attempt = report.record.latest
    went_wrong = attempt.state == "ended" and attempt.outcome != "succeeded"
    body = _failure(report, plots) if went_wrong else _result(report, plots)
    return Page((_title(report.record), *body))


def _title(record: RunRecord) -> Heading:
    point = "".join(f", {key}={value}" for key, value in record.point.items())
    return Heading((f"{record.experiment}, seed {record.seed}{point}: {describe(record.latest)}",))


def _failure(report: RunReport, plots: Sequence[str]) -> list[Block]:
    attempt, evidence = report.record.latest, report.evidence
    line = judge(report.spec, evidence, report.curves).log_line if evidence else ""
    blocks: list[Block] = [Log((line,))] if line else []
    if attempt.cure:
        blocks.append(paragraph(Strong("Cure"), ": ", attempt.cure))
    blocks.append(Paragraph((_next_after_failure(report.record), _facts(report))))
    blocks.append(Folded("Measured until then, evidence, environment", _details(report, plots)))
    return blocks


def _next_after_failure(record: RunRecord) -> Line:
    retry = Code(f"runner retry {record.run_id}")
    return (Strong("Next"), ": ", Code(f"runner logs {record.run_id}"), " · ", retry)


def _facts(report: RunReport) -> Line:
    """Return run id, attempt, place, commit, time and money, as far as they are known."""
    record, attempt = report.record, report.record.latest
    parts: list[Line] = [
        ("run ", Code(record.run_id), f", attempt {attempt.number}"),
        (record.trainer, f" on {places(attempt) or attempt.launcher}"),
        ("commit ", Code(attempt.commit[:10])),
        (sections.day(attempt),),
    ]
    again = recovered(attempt)
    spent = (
        sections.time_taken(report),
        sections.money(attempt.cost_usd),
        f"recovered {again}" if again else "",
    )
    return sections.joined([*parts, *((text,) for text in spent if text)])


def _result(report: RunReport, plots: Sequence[str]) -> list[Block]:
    blocks: list[Block] = [Paragraph(tuple(_first_lines(report)))]
    blocks += _pictures(plots)
    judgements = report.record.latest.judgements
    table = sections.expectations_table([("measured", judgements)])
    blocks += [table] if table else []
    blocks += _findings(report)
    blocks += _folds(report)
    return blocks


def _first_lines(report: RunReport) -> list[Line]:
    facts = _facts(report)
    curve = report.curves.get(report.headline) if report.headline else None
    if curve is None or report.headline is None:
        return [facts]
    best = sections.best(report.headline, curve)
    steps = f" · {progress(report.record.latest)} steps"
    shown = Strong(f"{report.headline} {sections.span(curve)}")
    return [(shown, f" · best (step) {best}" if best else "", steps), facts]


def _pictures(plots: Sequence[str]) -> list[Block]:
    return [Image(ALT.get(path, path), path) for path in plots]


def _findings(report: RunReport) -> list[Block]:
    record = report.record
    named: list[tuple[str, Line]] = [
        ("Validation", sections.validation_line(report.spec, report.curves, report.headline)),
        ("Health", sections.health_line(report.curves)),
        ("Evidence", sections.evidence_line(report)),
        ("Cost", cost_line(record.attempts)),
        ("Again", _again(record)),
    ]
    return [Paragraph(tuple((Strong(name), ": ", *line) for name, line in named if line))]


def _again(record: RunRecord) -> Line:
    return () if record.is_active else (Code(f"runner reproduce {record.run_id}"),)


def _folds(report: RunReport) -> list[Block]:
    blocks: list[Block] = []
    if report.curves.canonical:
        blocks.append(Folded("All metrics", (sections.metrics_table(report.curves),)))
    attempts = _attempts(report.record)
    blocks += (
        [Folded(plural(len(report.record.attempts), "attempt"), (attempts,))] if attempts else []
    )
    environment = sections.environment_fold(report.evidence, report.record.latest.environment)
    return [*blocks, environment] if environment else blocks


def _attempts(record: RunRecord) -> Table | None:
    if len(record.attempts) < 2:
        return None
    rows = [
        cells(
            str(one.number),
            str(describe(one)),
            progress(one),
            sections.day(one),
            Code(one.commit[:10]),
        )
        for one in reversed(record.attempts)
    ]
    return compact_table(("attempt", "outcome", "step", "date", "commit"), tuple(rows))


def _details(report: RunReport, plots: Sequence[str]) -> tuple[Block, ...]:
    """Return what a failed run's first screen leaves out."""
    blocks: list[Block] = [paragraph(Strong("Evidence"), ": ", *sections.evidence_line(report))]
    cost = cost_line(report.record.attempts)
    blocks += [paragraph(Strong("Cost"), ": ", *cost)] if cost else []
    if report.curves.canonical:
        blocks.append(sections.metrics_table(report.curves))
    blocks += _pictures(plots)
    table = sections.expectations_table([("measured", report.record.latest.judgements)])
    attempts = _attempts(report.record)
    blocks += [one for one in (table, attempts) if one]
    environment = sections.environment_fold(report.evidence, report.record.latest.environment)
    return (*blocks, *(environment.blocks if environment else ()))
