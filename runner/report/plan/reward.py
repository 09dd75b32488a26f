"""What the reward check found, as a table for people: how the reward scores known answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from runner.report.page import Block, Code, Folded, Line, Rendered, Table, paragraph
from runner.report.plan.measure import Measure

Verdict = Literal["ok", "bad", "note"]
_MARKS: dict[Verdict, str] = {"ok": "✅", "bad": "❌", "note": "ℹ️"}
_WORDS: dict[Verdict, str] = {"ok": "ok", "bad": "look at it", "note": "ok, with a note"}


class RewardRow(NamedTuple):
    """How one kind of answer is scored."""

    answer: str
    """What is answered, such as `reference solution`."""
    expected: str
    """The score that a sound reward gives; empty where there is none to expect."""
    score: str
    """The mean score."""
    verdict: Verdict
    note: str
    """What follows from the score, where something does."""


@dataclass(frozen=True)
class RewardTable:
    """What was found about one reward function."""

    reward: str
    """File and function."""
    rows_from: str
    """Where the rows come from, such as `the dataset card's sample`."""
    count: int
    """Rows that were scored."""
    seconds: float
    """How long it took."""
    verdict: Verdict
    rows: tuple[RewardRow, ...]
    error: str = ""
    """Why nothing could be scored, as the check's process said it."""


_BEGIN, _END = "<!-- rollbook:rewards -->", "<!-- /rollbook:rewards -->"
"""Lines around the tables. Text of a spec never makes a whole line, so it cannot forge them."""


def reward_folds(
    tables: tuple[RewardTable, ...] | None, carried: str, measure: Measure
) -> list[Block]:
    """Return a folded table per reward; None is a check that goes on."""
    if tables is None:
        return [paragraph("Reward check: running; this comment will say what it found")]
    if tables:
        folds = [_fold(table, measure) for table in tables[: measure.rows]]
        return [Rendered(_BEGIN), *folds, Rendered(_END)]
    return [Rendered(f"{_BEGIN}\n{carried}\n{_END}")] if carried else []


def carried_rewards(comment: str) -> str:
    """Return what a comment of ours says of rewards, to be said again; empty where it does not."""
    lines = comment.splitlines()
    if _BEGIN not in lines or _END not in lines:
        return ""
    return "\n".join(lines[lines.index(_BEGIN) + 1 : lines.index(_END)])


def _fold(table: RewardTable, measure: Measure) -> Folded:
    clip = measure.clip
    rows = "1 row" if table.count == 1 else f"{table.count:,} rows"
    facts = f"({rows}, no secrets, no network, {table.seconds:.1f} s)"
    if table.error:
        said = paragraph(Code(clip(table.reward)), " could not be checked: ", clip(table.error))
        return Folded(f"❌ Reward check {facts}: could not run", (said,))
    sign = "" if table.verdict == "ok" else f"{_MARKS[table.verdict]} "
    origin = paragraph(Code(clip(table.reward)), f" on {clip(table.rows_from)}")
    scores = Table(
        ("answer given", "expected", "mean score", ""),
        tuple(_row(row, measure) for row in table.rows[: measure.rows]),
    )
    return Folded(f"{sign}Reward check {facts}: {_WORDS[table.verdict]}", (origin, scores))


def _row(row: RewardRow, measure: Measure) -> tuple[Line, ...]:
    clip = measure.clip
    told: Line = (f"{_MARKS[row.verdict]} ", *measure.spoken(row.note))
    numbers = (clip(row.expected) or "–",), (clip(row.score),)
    return (measure.spoken(row.answer), *numbers, told)


def reward_faults(tables: tuple[RewardTable, ...] | None, measure: Measure) -> list[Line]:
    """Return a line per reward that is not sound: nothing is worth a look before it."""
    return [
        ("❌ ", Code(measure.clip(table.reward)), ": ", *_fault(table, measure))
        for table in tables or ()
        if table.verdict == "bad"
    ]


def _fault(table: RewardTable, measure: Measure) -> Line:
    if table.error:
        return ("could not be checked: ", *measure.spoken(table.error))
    row = next((row for row in table.rows if row.verdict == "bad"), None)
    if row is None:
        return ("the reward check found a fault",)
    scored = f" is scored {measure.clip(row.score)}"
    expected = f", not {measure.clip(row.expected)}" if row.expected else ""
    return (*measure.spoken(row.answer), f"{scored}{expected}. ", *measure.spoken(row.note))
