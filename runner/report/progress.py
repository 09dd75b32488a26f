"""What a person sees while runs go on: a live table, or single lines where no terminal is.

`render` and `changes` are functions of frozen rows; `Progress` only decides which of them to show.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Self

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runner.ledger.record import Outcome, RunRecord, State
from runner.report.curves import Curves
from runner.report.headline import headline_metric
from runner.report.notation import duration, number, usd
from runner.screen import is_quiet
from runner.spec.experiment import Experiment
from runner.storage.runfolder import Heartbeat

_BARS = "▁▂▃▄▅▆▇█"
_BAR_WIDTH = 10
_SPARK_WIDTH = 10
_STYLES = {"succeeded": "green", "running": "cyan", "cancelled": "yellow"}
_WAITING: frozenset[str] = frozenset({"claimed", "submitted", "waiting"})


class ProgressRow(NamedTuple):
    """One run at one moment."""

    experiment: str
    run_id: str
    seed: int
    state: State
    outcome: Outcome | None = None
    reason: str = ""
    """Why it waits or how it ended, in a sentence."""
    step: int = 0
    steps: int | None = None
    metric: str = ""
    """Name of the headline metric."""
    values: tuple[float, ...] = ()
    """Its values so far, the newest last."""
    elapsed: float = 0.0
    """Seconds since it started."""
    step_seconds: tuple[float, ...] = ()
    """Times of recent steps (`time/step`), from which the time left is estimated."""
    usd: float | None = None
    """What its newest attempt has cost so far; None where no price is known."""

    @property
    def label(self) -> str:
        """The outcome once it has ended, else the state."""
        return (self.outcome or self.state).replace("_", "-")


def row_of(
    record: RunRecord, spec: Experiment, curves: Curves, beat: Heartbeat | None
) -> ProgressRow:
    """Return how a run fares, from the ledger, its metrics and its last heartbeat."""
    attempt = record.latest
    metric, times = headline_metric(spec, curves.canonical) or "", curves.get("time/step")
    return ProgressRow(
        experiment=record.experiment,
        run_id=record.run_id,
        seed=record.seed,
        state=attempt.state,
        outcome=attempt.outcome,
        reason=attempt.reason,
        step=max(attempt.step, beat.step if beat and record.is_active else 0),
        steps=attempt.steps or (beat.steps if beat else None),
        metric=metric,
        values=curves.canonical[metric].values if metric else (),
        elapsed=beat.seconds if beat else 0.0,
        step_seconds=times.values if times else (),
        usd=beat.usd if beat and record.is_active else attempt.cost_usd,
    )


def time_left(row: ProgressRow) -> float | None:
    """Return seconds until the last step: steps left times the median step time.

    None unless it is running, with a known number of steps and at least one measured. The median
    leaves out the first step's compilation and steps that save or validate.
    """
    if row.state != "running" or not row.steps or not row.step_seconds:
        return None
    return max(0, row.steps - row.step) * statistics.median(row.step_seconds)


def sparkline(values: Sequence[float], width: int = _SPARK_WIDTH) -> str:
    """Return a curve as `width` or fewer bars between its smallest and largest value."""
    finite = [value for value in values if value == value and abs(value) != float("inf")]
    if not finite:
        return ""
    shown = [finite[(i + 1) * len(finite) // width - 1] for i in range(width)]
    shown = shown if len(finite) > width else finite
    low, high = min(shown), max(shown)
    if low == high:
        return _BARS[3] * len(shown)
    # Halves: the difference of two huge values would be infinite.
    half = high / 2 - low / 2
    parts = ((value / 2 - low / 2) / half if half else 0.0 for value in shown)
    return "".join(_BARS[round(part * (len(_BARS) - 1))] for part in parts)


def bar(row: ProgressRow) -> str:
    """Return how far a run is as a bar; empty when nobody knows how many steps there are."""
    if not row.steps:
        return ""
    done = min(_BAR_WIDTH, _BAR_WIDTH * row.step // row.steps)
    return "━" * done + "─" * (_BAR_WIDTH - done)


def render(rows: Sequence[ProgressRow]) -> Table:
    """Return the runs as a table for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for name in ("experiment", "seed", "state", "step", "metric", "time"):
        may_wrap = name in ("experiment", "metric")
        table.add_column(name, no_wrap=not may_wrap, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: ProgressRow) -> tuple[Text, ...]:
    steps = f"{row.step:,}/{row.steps:,}" if row.steps else f"{row.step:,}"
    shown = f"{bar(row)} {steps}".strip() if row.step or row.state == "running" else ""
    left, passed = time_left(row), duration(row.elapsed) if row.elapsed else ""
    taken = f"{duration(left)} left" if left is not None else passed
    style = _STYLES.get(row.label, "red" if row.outcome else "dim")
    return (
        Text(row.experiment),
        Text(str(row.seed)),
        Text(row.label, style),
        Text(shown),
        Text(_metric(row)),
        Text(f"{taken}, {usd(row.usd)}" if row.usd else taken, "dim"),
    )


def _metric(row: ProgressRow) -> str:
    if row.reason and (row.state in _WAITING or row.outcome not in (None, "succeeded")):
        return row.reason
    if not row.values:
        return ""
    return f"{sparkline(row.values)} {short_name(row.metric)} {number(row.values[-1])}"


def short_name(metric: str) -> str:
    """Return a metric's name without what a reader of a table knows: `val/gsm8k/accuracy`."""
    parts = metric.strip('"').split("/")
    return parts[-1] if parts[0] == "val" else "/".join(parts)


def _time(row: ProgressRow) -> str:
    left = time_left(row)
    parts = (
        f"after {duration(row.elapsed)}" if row.elapsed else "",
        f"{duration(left)} left" if left is not None else "",
        usd(row.usd) if row.usd else "",
    )
    return ", ".join(part for part in parts if part)


def line(row: ProgressRow) -> str:
    """Return one run in one plain line, for CI and pipes."""
    steps = f"step {row.step:,}" + (f" of {row.steps:,}" if row.steps else "")
    metric = f"{row.metric} {number(row.values[-1])}" if row.values else ""
    shown = (row.reason or (steps if row.step else ""), metric, _time(row))
    rest = ", ".join(part for part in shown if part)
    run = f" ({row.run_id[:8]})" if row.run_id else ""
    head = f"{row.experiment} seed {row.seed}{run}: {row.label}"
    return f"{head}, {rest}" if rest else head


def changes(before: Sequence[ProgressRow], after: Sequence[ProgressRow]) -> list[str]:
    """Return a line for each run that is new, or of which something but its step has changed.

    A quarter of its steps done is such a change, so that a log of hours does not look stuck.
    """
    known = {row.run_id: _stage(row) for row in before}
    return [line(row) for row in after if known.get(row.run_id) != _stage(row)]


def _stage(row: ProgressRow) -> tuple[object, ...]:
    quarter = min(3, 4 * row.step // row.steps) if row.steps else 0
    return (row.state, row.outcome, row.reason, quarter)


class Progress:
    """Shows runs on standard error while they go on; use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Show on `console`, by default standard error; rich honours NO_COLOR."""
        self._console = console or Console(stderr=True)
        self._rows: tuple[ProgressRow, ...] = ()
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last table on the screen."""
        if self._console.is_terminal:
            self._live.stop()

    def update(self, rows: Sequence[ProgressRow]) -> None:
        """Show `rows`: the table anew, or the lines of what has changed; nothing with --quiet."""
        if is_quiet():
            return
        if self._console.is_terminal:
            self._live.update(render(rows), refresh=True)
        else:
            for text in changes(self._rows, rows):
                self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._rows = tuple(rows)
