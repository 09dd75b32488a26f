"""How the result of `runner data check` is printed."""

from __future__ import annotations

from collections.abc import Iterator

import click

from runner.datasets.check import Checked, Fault
from runner.datasets.review import Leak, Review, Reviewed
from runner.screen import count

_COLUMNS = 8
"""Columns that are listed; the others are counted."""


def lines(review: Review) -> Iterator[str]:
    """Yield the lines of a review."""
    for one in review.sets:
        yield from _dataset(one)
    for leak in review.leaks:
        yield _leak(leak)


def _dataset(one: Reviewed) -> Iterator[str]:
    checked = one.checked
    role = f"  ({one.role})" if one.role else ""
    yield click.style(one.path, bold=True) + role
    yield f"  {'rows':<9}{_rows(checked)}"
    if checked.format:
        yield f"  {'format':<9}{checked.format.name} ({checked.format.stage})"
    yield f"  {'columns':<9}{_columns(checked)}"
    yield from _tokens(checked)
    for fault in checked.faults:
        yield from _fault(fault)
    yield from _repetitions(checked)
    if not checked.faults:
        yield click.style("  ok       no row is at fault", fg="green")


def _rows(checked: Checked) -> str:
    read = "all read" if checked.is_whole else f"{checked.read:,} read (--deep reads all)"
    return f"{checked.rows:,}, {read}"


def _columns(checked: Checked) -> str:
    inner = {name.partition(".")[0] for name in checked.columns if "." in name}
    told = [f"{name}: {kinds}" for name, kinds in checked.columns.items() if name not in inner]
    more = f" and {len(told) - _COLUMNS} more" if len(told) > _COLUMNS else ""
    return ", ".join(told[:_COLUMNS]) + more


def _tokens(checked: Checked) -> Iterator[str]:
    if lengths := checked.lengths:
        spread = lengths.quantiles
        limit = f", limit {lengths.limit:,}" if lengths.limit is not None else ""
        yield (
            f"  {'tokens':<9}median {spread.median:,}, 95 % up to {spread.p95:,}, longest "
            f"{spread.longest:,}{limit} ({lengths.by})"
        )


def _fault(fault: Fault) -> Iterator[str]:
    level = click.style(f"{fault.level:<9}", fg="red" if fault.level == "error" else "yellow")
    first, others = (fault.rows[0] if fault.rows else "", fault.rows[1:])
    place = f"{first}: " if first else ""
    yield f"  {level}{place}{fault.told}"
    if fault.number > 1:
        names = ", ".join(name.rpartition(":")[2] if _same(name, first) else name
                          for name in others)  # fmt: skip
        more = " …" if fault.number > len(fault.rows) else ""
        yield f"  {'':<9}{fault.number:,} rows in all; the next are {names}{more}"


def _same(name: str, other: str) -> bool:
    return name.rpartition(":")[0] == other.rpartition(":")[0]


def _repetitions(checked: Checked) -> Iterator[str]:
    hint = click.style(f"{'hint':<9}", fg="yellow")
    if checked.duplicates:
        share = f"{100 * checked.duplicates / checked.rows:.1f} %"
        verb = "is" if checked.duplicates == 1 else "are"
        rows = f"{count(checked.duplicates, 'row')} ({share}) {verb} equal to an earlier one"
        yield f"  {hint}{rows}"
    if (repeated := checked.repeated_prompts or 0) > (checked.duplicates or 0):
        yield f"  {hint}{count(repeated, 'row')} repeat the prompt of an earlier one"


def _leak(leak: Leak) -> str:
    if leak.overlap is None:
        return f"overlap    {leak.name}: not compared with the training set (--deep reads all rows)"
    if not leak.overlap.number:
        return f"overlap    {leak.name}: no prompt stands in the training set"
    rows = ", ".join(str(row) for row in leak.overlap.rows)
    more = " …" if leak.overlap.number > len(leak.overlap.rows) else ""
    told = f"{count(leak.overlap.number, 'prompt')} of {leak.name} stand in the training set too"
    return f"{click.style('overlap', fg='yellow')}    {told}: rows {rows}{more}"
