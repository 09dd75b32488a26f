"""How numbers, times and metrics are written for people."""

from __future__ import annotations

import math

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: float) -> str:
    """Return `value` with 4 significant digits, or as a whole number from 1000 up."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 999.95:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"
    text = f"{value:.4g}"
    return "0" if text == "-0" else text


def signed(value: float) -> str:
    """Return `value` as `number` does, with its sign: for differences."""
    return number(value) if value < 0 or math.isnan(value) else f"+{number(value)}"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, such as `41 s`, `2 min 5 s`, `3 h 20 min`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    head, rest = divmod(seconds, large)
    tail = rest // small
    return f"{head} {large_unit} {tail} {small_unit}" if tail else f"{head} {large_unit}"


def bytes_(count: int) -> str:
    """Return an amount of memory in binary units, such as `3.2 GiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} TiB"


def usd(amount: float) -> str:
    """Return US dollars: whole from $100 up, and where they are whole; else with cents."""
    whole = amount >= 99.995 or amount == round(amount)
    return f"${amount:,.0f}" if whole else f"${amount:,.2f}"


def plural(count: int, noun: str) -> str:
    """Return `1 seed`, `3 seeds`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
