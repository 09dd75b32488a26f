from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runner.report.notation import bytes_, duration, number, signed
from runner.report.progress import (
    Progress,
    ProgressRow,
    changes,
    line,
    render,
    sparkline,
    time_left,
)

ROW = ProgressRow(
    "sums/grpo",
    "0123456789ab",
    1,
    "running",
    step=12,
    steps=24,
    metric="val/sums/accuracy",
    values=(0.1, 0.30000000000000004),
    elapsed=70.0,
    step_seconds=(50.0, 5.0, 5.5),
)


def test_time_left_is_steps_left_times_the_median_step() -> None:
    assert time_left(ROW) == 12 * 5.5
    assert time_left(ROW._replace(steps=None)) is None
    assert time_left(ROW._replace(step_seconds=())) is None
    assert time_left(ROW._replace(state="ended", outcome="succeeded")) is None


def test_a_plain_line() -> None:
    assert line(ROW) == (
        "sums/grpo seed 1 (01234567): running, step 12 of 24, val/sums/accuracy 0.3, "
        "after 1 min 10 s, 1 min 6 s left"
    )


def test_plain_lines_come_at_changes_of_state_and_at_quarters_of_the_way() -> None:
    later = ROW._replace(step=13)
    ended = ROW._replace(
        state="ended", outcome="under_trained", reason="exited 0 after 12 of 24 steps"
    )
    assert changes([], [ROW]) == [line(ROW)]
    assert changes([ROW], [later]) == []
    far = ROW._replace(step=18)
    assert changes([later], [far]) == [line(far)]
    assert changes([far], [ROW._replace(step=24)]) == []  # its end has a line of its own
    assert changes([ROW._replace(steps=None)], [later._replace(steps=None, step=99)]) == []
    assert changes([later], [ended]) == [line(ended)]
    assert "under-trained, exited 0 after 12 of 24 steps" in line(ended)


def show(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    with Progress(Console(file=stream, force_terminal=terminal, width=100)) as progress:
        progress.update([ROW])
        progress.update([ROW._replace(step=17)])
    return stream.getvalue()


def test_no_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert show(False, monkeypatch) == line(ROW) + "\n"


def test_a_terminal_gets_a_table_without_colours_when_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = show(True, monkeypatch)
    assert "━━━━━───── 12/24" in text
    assert "━━━━━━━─── 17/24" in text
    assert "\x1b[36m" not in text


def test_the_table() -> None:
    stream = io.StringIO()
    waiting = ROW._replace(state="waiting", reason="[no] slot is free", step=0, values=())
    Console(file=stream, width=100, color_system=None).print(render([ROW, waiting]))
    assert "▁█ accuracy 0.3" in stream.getvalue()
    assert "[no] slot is free" in stream.getvalue()


@given(st.lists(st.floats(allow_nan=True), max_size=50))
def test_a_sparkline_is_short_and_never_fails(values: list[float]) -> None:
    assert len(sparkline(values)) <= 10


def test_a_sparkline_ends_at_the_newest_value() -> None:
    assert sparkline([float(i) for i in range(100)])[-1] == "█"
    assert sparkline([1.0, 1.0]) == "▄▄"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.91234567, "0.9123"),
        (-0.0, "0"),
        (1e-6, "1e-06"),
        (999.99, "1,000"),
        (537600, "537,600"),
        (float("nan"), "nan"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (12345, "3 h 25 min"),
        (2e5, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_signs_and_bytes() -> None:
    assert (signed(0.1), signed(-0.1)) == ("+0.1", "-0.1")
    assert (bytes_(512), bytes_(3 * 2**30)) == ("512 B", "3 GiB")
