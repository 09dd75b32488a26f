"""The ledger's front page: every experiment with its state, headline metric and date.

The newest come first, and in each folder the best value of each metric is set in bold. Beyond a
screenful they stand by the first folder of their names, and a registry with many has a page per
folder, since forges do not render a file without limit: GitHub stops at 512 KB. The rows are
kept beside the pages: see `runner.report.boards`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from runner import metrics
from runner.ledger.record import RunRecord
from runner.report.markdown import to_markdown
from runner.report.notation import number, plural
from runner.report.outcome import describe_all
from runner.report.page import (
    Block,
    Code,
    Heading,
    Inline,
    Line,
    Link,
    Page,
    Strong,
    cells,
    compact_table,
    paragraph,
)
from runner.report.sections import day
from runner.report.stats import interval

FRONT = "README.md"
FOLDER = "leaderboard"
FRONT_ROWS = 200
"""Rows up to which the front page has them all; beyond, each folder has a page of its own."""
SCREENFUL = 20
"""Rows up to which one table is enough."""
LATEST = 10
"""Rows that are shown first where there are more than a screenful."""
LONGEST_PAGE = 450_000
"""Bytes of a page, below GitHub's limit for rendering."""
POINTS = 5
"""Points of an experiment's matrix that are shown: the best; the experiment's page has all."""
_LONGEST_STATE = 90
_HEADER = ("experiment", "point", "state", "metric", "last", "95 % interval", "seeds", "date")


class Standing(NamedTuple):
    """An experiment and the runs of its present version."""

    experiment: str
    headlines: tuple[str, ...]
    """The metrics that may head it, the best first: see `runner.report.headline`."""
    records: tuple[RunRecord, ...]


class Row(NamedTuple):
    """One point of an experiment."""

    experiment: str
    point: str
    state: str
    metric: str | None
    values: tuple[float, ...]
    """Last values of the seeds that succeeded."""
    seeds: int
    day: str

    @property
    def mean(self) -> float | None:
        """The mean of the values; none without any."""
        return sum(self.values) / len(self.values) if self.values else None

    @property
    def folder(self) -> str:
        """The folder whose table it stands in."""
        return folder_of(self.experiment)


class Listed(NamedTuple):
    """An experiment's rows, with what the pages need of its runs."""

    experiment: str
    newest: str
    """When the newest of its runs was claimed."""
    runs: int
    rows: tuple[Row, ...]


def folder_of(experiment: str) -> str:
    """Return the first folder of an experiment's name; empty where it is in none."""
    first, slash, _ = experiment.partition("/")
    return first if slash else ""


def listed(standing: Standing) -> Listed:
    """Return what the leaderboard keeps of an experiment."""
    newest = max((record.latest.claimed_at for record in standing.records), default="")
    return Listed(standing.experiment, newest, len(standing.records), tuple(_rows(standing)))


def leaderboard_pages(
    experiments: Sequence[Listed], folders: Collection[str] | None = None
) -> dict[str, str]:
    """Return the front page and, where there are many rows, one per folder; Markdown by path.

    Of the pages per folder only those of `folders`, if they are given.
    """
    by_name = sorted(experiments, key=lambda one: one.experiment)
    ordered = sorted(by_name, key=lambda one: one.newest, reverse=True)
    rows = [row for one in ordered for row in one.rows]
    runs = sum(one.runs for one in experiments)
    count = f"{plural(len(experiments), 'experiment')}, {plural(runs, 'run')}. Written by "
    title: list[Block] = [Heading(("Experiments",))]
    if not rows:
        return {FRONT: to_markdown(Page((*title, paragraph("No run is recorded yet."))))}
    title.append(paragraph(count, Code("runner sync"), ": changes by hand are lost."))
    if len(rows) <= SCREENFUL:
        return {FRONT: to_markdown(Page((*title, _table(rows))))}
    by_folder = _by_folder(rows)
    title += [Heading(("Latest",), 2), _table(rows[:LATEST])]
    if len(rows) <= FRONT_ROWS:
        return {FRONT: to_markdown(Page((*title, *_sections(by_folder))))}
    index = _index(by_folder)
    wanted = by_folder if folders is None else by_folder.keys() & folders
    pages = {page_of(folder): _folder_page(folder, by_folder[folder]) for folder in sorted(wanted)}
    return {FRONT: to_markdown(Page((*title, Heading(("Folders",), 2), index))), **pages}


def _by_folder(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.folder, []).append(row)
    return dict(sorted(found.items()))


def page_of(folder: str) -> str:
    """Return where the page of a folder is on the ledger branch."""
    # `_` begins no experiment's name: what is in no folder.
    return f"{FOLDER}/{folder or '_'}.md"


def _sections(folders: Mapping[str, Sequence[Row]]) -> Iterable[Block]:
    for folder, rows in folders.items():
        yield Heading((folder or "In no folder",), 2)
        yield _table(rows)


def _index(folders: Mapping[str, Sequence[Row]]) -> Block:
    rows = tuple(
        cells(
            Link(folder or "in no folder", page_of(folder)),
            str(len({row.experiment for row in of})),
            str(sum(row.state.startswith("⏳") for row in of)),
            str(sum(row.state.startswith("❌") for row in of)),
            max(row.day for row in of),
        )
        for folder, of in folders.items()
    )
    return compact_table(("folder", "experiments", "going on", "failed", "newest"), rows)


def _folder_page(folder: str, rows: Sequence[Row]) -> str:
    """Return a folder's page; of too many rows the newest that fit."""
    shown = len(rows)
    while True:
        blocks: list[Block] = [
            Heading((folder or "Experiments in no folder",)),
            paragraph(Link("All experiments", "../README.md")),
            _table(rows[:shown], "../"),
        ]
        if shown < len(rows):
            all_ = Code("runner status --all")
            blocks.append(paragraph(f"{len(rows) - shown:,} older ones: ", all_))
        text = to_markdown(Page(tuple(blocks)))
        if len(text.encode()) <= LONGEST_PAGE:
            return text
        shown = shown * 9 // 10


def _rows(standing: Standing) -> list[Row]:
    """Return a row per point of the matrix, of many points the best."""
    points: dict[str, list[RunRecord]] = {}
    for record in standing.records:
        point = ", ".join(f"{key}={value}" for key, value in record.point.items())
        points.setdefault(point, []).append(record)
    rows = [_row(standing, point, records) for point, records in sorted(points.items())]
    more = len(rows) - POINTS
    if more <= 0:
        return rows
    shown = sorted(rows, key=_goodness, reverse=True)[:POINTS]
    last = shown[-1]._replace(point=f"{shown[-1].point} (and {plural(more, 'more point')})")
    return [*shown[:-1], last]


def _row(standing: Standing, point: str, records: Sequence[RunRecord]) -> Row:
    done = [one.latest for one in records if one.latest.outcome == "succeeded"]
    measured = {name for one in done for name in one.metrics}
    metric = next((name for name in standing.headlines if name in measured), None)
    values = [one.metrics[metric] for one in done if metric in one.metrics] if metric else []
    state = str(describe_all(records))
    return Row(
        standing.experiment,
        point,
        state if len(state) <= _LONGEST_STATE else f"{state[: _LONGEST_STATE - 1]}…",
        metric,
        tuple(values),
        len(records),
        max(day(record.latest) for record in records),
    )


def _goodness(row: Row) -> float:
    """Return a number that is greater for a better row; what measured nothing is worst."""
    metric = metrics.find(row.metric) if row.metric else None
    if row.mean is None or metric is None or not metric.better:
        return float("-inf")
    return row.mean if metric.better == "higher" else -row.mean


def _table(rows: Sequence[Row], up: str = "") -> Block:
    """Return rows as a table; `up` leads from its page to the ledger's root."""
    found: dict[tuple[str, str | None], list[float]] = {}
    for row in rows:
        if _goodness(row) > float("-inf"):
            found.setdefault((row.folder, row.metric), []).append(_goodness(row))
    tops = {key: max(values) for key, values in found.items() if len(values) > 1}
    return compact_table(_HEADER, tuple(_cells(row, tops, up) for row in rows))


def _cells(row: Row, tops: Mapping[tuple[str, str | None], float], up: str) -> tuple[Line, ...]:
    around = interval(row.values)
    last: Inline = "" if row.mean is None else number(row.mean)
    if last and tops.get((row.folder, row.metric)) == _goodness(row):
        last = Strong(str(last))
    return (
        (Link(row.experiment, f"{up}experiments/{row.experiment}/README.md"),),
        (row.point,),
        (row.state,),
        (Code(row.metric),) if row.metric else (),
        (last,),
        (f"{number(around.low)} to {number(around.high)}",) if around else (),
        *cells(str(row.seeds), row.day),
    )
