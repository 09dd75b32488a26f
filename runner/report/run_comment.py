"""The comment about an experiment's runs, on the pull request that brought it.

It is there from the start of the runs, with how far they are, and is edited in place until it is
the first screen of the report. Links are addresses: in a comment a relative one leads nowhere.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from runner.forges.base import COMMENT_LIMIT
from runner.report.experiment_page import Group, first_screen, groups_of, page_path, run_link
from runner.report.judge import judge
from runner.report.markdown import to_markdown
from runner.report.notation import duration, number, plural
from runner.report.outcome import describe, short
from runner.report.page import (
    Address,
    Block,
    Code,
    Folded,
    Heading,
    Image,
    Inline,
    Line,
    Link,
    Log,
    Mention,
    Page,
    Paragraph,
    Small,
    Strong,
    Table,
    compact_table,
    paragraph,
)
from runner.report.progress import time_left
from runner.report.recoveries import recovered
from runner.report.sections import RunReport, money
from runner.report.statuses import Moment, Told, label, waiting

SHOWN_RUNS = 24
"""Rows of the table and runs per comment; the page has all."""
SHOWN_FAILURES = 3
_MARKS = {"success": "✅", "failure": "❌", "pending": "⏳"}


class About(NamedTuple):
    """What a comment is about."""

    experiment: str
    told: Told
    """Its status: the comment's headline says the same."""
    runs: tuple[RunReport, ...]
    moment: Moment
    address: Callable[[str], str]
    """Address of a file of the ledger by its path; empty where there is none."""
    commit: str


def marker(experiment: str) -> str:
    """Return the first line of the comment: names have no character that could end it."""
    return f"<!-- rollbook:run:v1 {experiment} -->"


def run_comment(about: About) -> str:
    """Return the comment, within the limit of forges."""
    start = f"{marker(about.experiment)}\n"
    body = start + to_markdown(_absolute(about, _page(about)))
    if len(body.encode()) <= COMMENT_LIMIT:
        return body
    return start + to_markdown(_absolute(about, Page((_title(about), _more(about)))))


def _page(about: About) -> Page:
    going = any(report.record.is_active for report in about.runs)
    body = _going(about) if going else _ended(about)
    return Page((_title(about), *body, _more(about)))


def _title(about: About) -> Heading:
    mark, text = _MARKS[about.told.state], about.told.description
    return Heading((Link(about.experiment, "README.md"), f": {mark} {text}"), 3)


def _more(about: About) -> Small:
    parts: list[Inline] = ["commit ", Code(about.commit[:10]), " · "]
    parts += [Link("report", "README.md"), " · ", Link("all experiments", _to("README.md", about))]
    return Small((*parts, " · edited in place"))


def _to(path: str, about: About) -> str:
    """Return the way from the experiment's page to another file of the ledger."""
    return posixpath.relpath(path, posixpath.dirname(page_path(about.experiment)))


# While they go on


def _going(about: About) -> list[Block]:
    shown = _worst_first(about.runs)[:SHOWN_RUNS]
    rows = tuple(_row(about, report) for report in shown)
    header = ("run", "id", "state", "step", "time left", "metric", "cost", "recovered", "W&B")
    return [
        compact_table(header, rows),
        *_left_out(about, len(about.runs) - len(shown)),
        *_failures(about),
        paragraph(Strong("Follow"), ": ", Code(f"runner logs {about.experiment} --follow")),
    ]


def _row(about: About, report: RunReport) -> tuple[Line, ...]:
    record, attempt = report.record, report.record.latest
    row = about.moment.rows.get(record.run_id)
    step, steps = (row.step, row.steps) if row else (attempt.step, attempt.steps)
    left = time_left(row) if row else None
    metric = f"{row.metric} {number(row.values[-1])}" if row and row.values else ""
    return (
        (label(record, [one.record for one in about.runs]) or f"seed {record.seed}",),
        _run(about, report),
        (_state(about, report),),
        (f"{step:,}" + (f" of {steps:,}" if steps else ""),),
        (duration(left),) if left is not None else (),
        (metric,),
        (money((row.usd if row else None) or attempt.cost_usd),),
        (recovered(attempt),),
        (Address("curves", attempt.wandb),) if attempt.wandb else (),
    )


def _state(about: About, report: RunReport) -> str:
    """Return a run's state; of one that waits also for what, since when, and what comes next."""
    attempt = report.record.latest
    if attempt.state == "waiting" and attempt.waiting_since:
        return f"⏳ {waiting(report.spec, report.record, about.moment.at)}"
    if report.record.is_active and attempt.reason:
        return f"{short(attempt)}: {attempt.reason}"
    return short(attempt)


def _run(about: About, report: RunReport) -> Line:
    """Return a run's id; it links to its page, which is written when it ends."""
    record = report.record
    if record.is_active:
        return (Code(record.run_id[:8]),)
    return (run_link(about.experiment, record),)


# When all have ended


def _ended(about: About) -> list[Block]:
    shown = _worst_first(about.runs)[:SHOWN_RUNS]
    blocks: list[Block] = [*_failures(about)]
    if any(report.record.latest.outcome == "succeeded" for report in about.runs):
        for group in groups_of(shown):
            blocks += first_screen(about.experiment, _with_plots(group, about))
        blocks += _left_out(about, len(about.runs) - len(shown))
        again = Code(f"runner reproduce {about.experiment}")
        blocks.append(paragraph(Strong("Again"), ": ", again))
    owner = about.runs[0].spec.owner
    return [*blocks, *([paragraph("For ", Mention(owner))] if owner else [])]


def _with_plots(group: Group, about: About) -> Group:
    """Show the pictures of an experiment without a matrix; one with it has too many."""
    one = len({str(report.record.point) for report in about.runs}) == 1
    drawn = any(report.curves for report in group.runs)
    return group._replace(plots=("plots/result.svg",) if one and drawn else ())


def _failures(about: About) -> list[Block]:
    failed = [report for report in about.runs if _has_failed(report)]
    blocks = [block for one in failed[:SHOWN_FAILURES] for block in _failure(about, one)]
    more = len(failed) - SHOWN_FAILURES
    return [*blocks, paragraph(f"{plural(more, 'more run')} failed.")] if more > 0 else blocks


def _has_failed(report: RunReport) -> bool:
    attempt = report.record.latest
    return attempt.state == "ended" and attempt.outcome != "succeeded"


def _failure(about: About, report: RunReport) -> list[Block]:
    """Return where a run stopped, the log line that says why, one cure, the next command."""
    record, attempt, evidence = report.record, report.record.latest, report.evidence
    name = label(record, [one.record for one in about.runs])
    # Of a single run the headline says it.
    title = [paragraph(Strong(f"{name}: {describe(attempt)}"))] if name else []
    deciding = judge(report.spec, evidence, report.curves).log_line if evidence else ""
    lines: list[Line] = [(Strong("Cure"), ": ", attempt.cure)] if attempt.cure else []
    spent = f" · {money(attempt.cost_usd)} spent" if attempt.cost_usd else ""
    retry = Code(f"runner retry {record.run_id}")
    lines.append((Strong("Next"), ": ", retry, " · run ", *_run(about, report), spent))
    return [*title, *([Log((deciding,))] if deciding else []), Paragraph(tuple(lines))]


def _worst_first(runs: Sequence[RunReport]) -> list[RunReport]:
    """Return the runs in their order, where there are more than are shown the failed ones first."""
    if len(runs) <= SHOWN_RUNS:
        return list(runs)
    return sorted(runs, key=lambda report: not _has_failed(report))


def _left_out(about: About, count: int) -> list[Block]:
    if count <= 0:
        return []
    return [paragraph(f"{plural(count, 'more run')} on ", Link("the page", "README.md"))]


# Links


def _absolute(about: About, page: Page) -> Page:
    """Return the page with addresses for links; where there are none, without pictures."""
    return Page(tuple(_blocks(about, page.blocks)))


def _blocks(about: About, blocks: Iterable[Block]) -> Iterable[Block]:
    for block in blocks:
        match block:
            case Heading():
                yield Heading(_line(about, block.line), block.level)
            case Paragraph():
                yield Paragraph(tuple(_line(about, line) for line in block.lines))
            case Table():
                rows = (tuple(_line(about, cell) for cell in row) for row in block.rows)
                yield Table(block.header, tuple(rows))
            case Small():
                yield Small(_line(about, block.line))
            case Image():
                if address := _resolved(about, block.path):
                    # GitHub's pages of files lead to the bytes themselves by this.
                    yield Image(block.alt, f"{address}?raw=true")
            case Folded():
                yield Folded(block.summary, tuple(_blocks(about, block.blocks)))
            case _:
                yield block


def _line(about: About, line: Line) -> Line:
    return tuple(
        Address(part.label, _resolved(about, part.target)) if isinstance(part, Link) else part
        for part in line
    )


def _resolved(about: About, target: str) -> str:
    here = posixpath.dirname(page_path(about.experiment))
    return about.address(posixpath.normpath(posixpath.join(here, target)))
