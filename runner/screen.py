"""What people see in a terminal: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from runner.findings import Finding
    from runner.planning.actions import Action, Plan, Verb

_BAD_ENDS = 10
"""So many kept runs that ended badly are named."""
_COLOURS = {
    "launch": "green",
    "hold": "yellow",
    "stale": "yellow",
    "wait": "cyan",
    "orphan": "magenta",
    "refuse": "red",
}


_NARROW = 30
"""Characters below which a column of sentences is not worth having."""

_colour: bool | None = None
"""Whether to colour; None asks the terminal. Errors are printed when click's context is gone."""


def use_colour(enabled: bool | None) -> None:
    """Colour what is printed from here on, or not; None: where it is a terminal."""
    global _colour
    _colour = enabled


_quiet = False
"""Whether only results and errors are printed."""


def keep_quiet(wanted: bool) -> None:
    """Print results and errors alone from here on, or everything."""
    global _quiet
    _quiet = wanted


def is_quiet() -> bool:
    """Whether only results and errors are printed."""
    return _quiet


def log_to_standard_error(wanted: bool) -> None:
    """Write what is asked of git, run store and launcher to standard error as it happens, or not.

    Each line has the seconds since the start of the command.
    """
    log = logging.getLogger("runner")
    log.handlers.clear()
    log.setLevel(logging.DEBUG if wanted else logging.WARNING)
    if wanted:
        handler = logging.StreamHandler()
        handler.setFormatter(_SinceStart("%(seconds)8.2f s  %(message)s"))
        log.addHandler(handler)
        log.propagate = False


class _SinceStart(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.seconds = record.relativeCreated / 1000
        return super().format(record)


def _echo(text: str, *, err: bool = False) -> None:
    click.echo(text, err=err, color=_colour)


def print_json(content: Any) -> None:
    """Print one JSON document, the result of a command with --json."""
    _echo(json.dumps(content, indent=1, ensure_ascii=False))


def print_json_list(key: str, entries: Iterable[Any]) -> None:
    """Print one JSON document, `{key: [entries]}`, with an entry a line.

    It is kept on disk until the last one is there: a command that fails prints another document.
    """
    import tempfile

    with tempfile.TemporaryFile("w+", encoding="utf-8") as lines:
        between = "\n"
        for entry in entries:
            lines.write(f"{between}{json.dumps(entry, ensure_ascii=False)}")
            between = ",\n"
        lines.seek(0)
        click.echo(f"{{{json.dumps(key)}: [", nl=False)
        for line in lines:
            click.echo(line, nl=False)
        click.echo("\n]}")


def say(text: str) -> None:
    """Print a line about what is going on, to standard error; nothing with --quiet."""
    if not _quiet:
        _echo(text, err=True)


def print_error(message: str, cure: str | None) -> None:
    """Print what went wrong and what to do about it, to standard error."""
    _echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    if cure:
        _echo(f"  {click.style('cure', bold=True)}: {cure}", err=True)


def print_result(text: str, cure: str = "") -> None:
    """Print a line of a command's result, with what to do about it."""
    _echo(text)
    if cure:
        _echo(f"  {cure}")


def print_findings(findings: Sequence[Finding]) -> None:
    """Print findings as compilers do, `file:line:column`, to standard error."""
    for finding in findings:
        level = click.style(finding.level, fg="red" if finding.level == "error" else "yellow")
        place = f"{finding.path}:{finding.line}:{finding.column}"
        key = f" `{finding.key}`" if finding.key and finding.key not in finding.message else ""
        _echo(f"{click.style(place, bold=True)}: {level}:{key} {finding.message}", err=True)
        rule = click.style(f"[{finding.rule}]", dim=True)
        _echo(f"    {finding.cure} {rule}", err=True)


def print_plan(plan: Plan) -> None:
    """Print a plan: its headline, then what happens, with what needs no action summed up."""
    from runner.forecast.lines import lines

    _echo(click.style(headline(plan), bold=True))
    for note in plan.notes:
        _echo(f"  {note}")
    doing = [action for action in plan.actions if action.action != "keep"]
    width = max((len(action.experiment) for action in doing), default=0)
    for action, next_one in zip(doing, (*doing[1:], None), strict=False):
        _print_action(action, width)
        if action.forecast and not _shares_forecast(action, next_one):
            for line in lines(action.forecast, action.gpu_hours, action.cost, action.launcher):
                _echo(click.style(f"           {line}", dim=True))
    _print_bad_ends(plan)
    kept = plan.number_of("keep")
    if kept and doing:
        state = "as it is" if kept == 1 else "as they are"
        _echo(click.style(f"  keep     {count(kept, 'run')} {state}", dim=True))
    found = (finding for action in doing for finding in action.findings)
    print_findings(list(dict.fromkeys(found)))  # seeds share theirs


def _print_bad_ends(plan: Plan) -> None:
    """Name the kept runs that ended badly, with what tries them again; the plan leaves them."""
    bad = [(name, reason) for name, reason in plan.kept() if "; runner retry" in reason]
    for experiment, reason in bad[:_BAD_ENDS]:
        _echo(f"  {click.style('keep', dim=True)}     {experiment}: {reason}")
    if more := bad[_BAD_ENDS:]:
        told = f"{count(len(more), 'more run')} that ended badly: runner status --all"
        _echo(click.style(f"  keep     {told}", dim=True))


def _print_action(action: Action, width: int) -> None:
    verb = click.style(f"{action.action:<8}", fg=_COLOURS.get(action.action))
    run = f"{action.run_id or '':<12}"
    seed = f"seed {action.seed}" if action.seed is not None else ""
    point = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in action.point.items())
    where = " ".join(part for part in (seed, point) if part)
    _echo(f"  {verb} {action.experiment:<{width}}  {run}  {where:<7}  {action.reason}")


def _shares_forecast(action: Action, other: Action | None) -> bool:
    """Whether `other` is the next seed of the same point: what one run takes is said once."""
    if other is None or (action.experiment, action.point) != (other.experiment, other.point):
        return False
    return action.forecast == other.forecast


def headline(plan: Plan) -> str:
    """Return the plan in one line."""
    parts = []
    if launches := plan.number_of("launch"):
        parts.append(f"launches {count(launches, 'run')}{_sums(plan)}")
    names: dict[Verb, str] = {
        "wait": "waits for another run",
        "hold": "held",
        "stale": "stale",
        "orphan": "orphaned",
        "refuse": "refused",
    }
    parts += [
        f"{number} {text}" for verb, text in names.items() if (number := plan.number_of(verb))
    ]
    state = " (uncommitted work tree)" if plan.uncommitted else ""
    if not parts:
        return f"Nothing to do: {count(plan.number_of('keep'), 'run')} as planned{state}"
    return f"Plan{state}: {', '.join(parts)}"


def _sums(plan: Plan) -> str:
    """Return what the launched runs take together, as far as it is known of all of them."""
    from runner.forecast.lines import if_rented, text

    launched = [action for action in plan.actions if action.action == "launch"]
    hours = [action.gpu_hours for action in launched if action.gpu_hours]
    if not hours or len(hours) < len(launched):
        return ""
    costs = [action.cost for action in launched if action.cost]
    money = ""
    if len(costs) == len(launched):
        low, high = sum(one.low for one in costs), sum(one.high for one in costs)
        rented = if_rented(action.launcher for action in launched)
        money = f", ${text(low, high)}{rented}"
    return f" ({text(sum(o.low for o in hours), sum(o.high for o in hours))} GPU-h{money})"


def count(number: int, noun: str) -> str:
    """Return `1 run`, `3 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def mark(state: str) -> str:
    """Return how a check went: four characters, coloured."""
    shown = {"ok": ("ok  ", "green"), "broken": ("no  ", "red"), "notice": ("note", "yellow")}
    text, colour = shown[state]
    return click.style(text, fg=colour)


def clear() -> None:
    """Clear the terminal, where standard output is one; elsewhere a blank line tells two apart."""
    if sys.stdout.isatty():
        click.clear()
    else:
        _echo("")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as wide as their content.

    In a terminal that is too narrow the last column is broken into lines, or each row is printed by
    itself.
    """
    import shutil

    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else before + widths[-1]
    last = room - before
    if last < min(widths[-1], _NARROW):
        _print_rows(header, lines[1:], room)
        return
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        first, *more = textwrap.wrap(line[-1], last) if len(line[-1]) > last else [line[-1]]
        _echo(click.style(f"{text[:before]}{first}".rstrip(), bold=number == 0))
        for rest in more:
            _echo(f"{'':<{before}}{rest}")


def _print_rows(header: Sequence[str], rows: Iterable[Sequence[str]], room: int) -> None:
    """Print each row in lines of at most `room`: what it is about, its cells, the last one apart.

    Cells in between have their column's name before them.
    """
    for row in rows:
        first, *middle, last = row
        named = (f"{name.lower()} {cell}" for name, cell in zip(header[1:], middle, strict=False))
        cells = [text for text, cell in zip(named, middle, strict=True) if cell]
        _echo(click.style(first, bold=True))
        for text in (", ".join(cells), last):
            for line in textwrap.wrap(text, max(20, room - 2)):
                _echo(f"  {line}")


def is_terminal() -> bool:
    """Whether a person watches standard error."""
    return sys.stderr.isatty()
