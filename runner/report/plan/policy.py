"""How much of the policy's ceilings a plan takes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.planning.actions import Use
from runner.policy.ceilings import CEILINGS
from runner.report.page import Inline, Line, Paragraph, Strong
from runner.report.plan.groups import Group

_FORMS = {
    "launches_per_apply": "{} of {} launches",
    "gpu_hours_per_apply": "{} of {} GPU-h",
    "usd_per_apply": "${} of ${} per merge",
    "gpu_hours_per_month": "{} of {} GPU-h this month",
    "usd_per_month": "${} of ${} this month",
    "gpus_at_once": "{} of {} GPUs at once",
}
"""How each ceiling of registry.yaml's `policy` reads."""


def policy_line(uses: Sequence[Use], groups: Sequence[Group]) -> list[Paragraph]:
    """Return a line with each ceiling; what holds something back, or is over, is strong."""
    if not uses:
        return []
    if not any(one.first.action in ("launch", "hold", "wait") for one in groups):
        return []
    held = [one.first.reason for one in groups if one.first.lifted_by == "owner"]
    over = [any(_holds(use, reason) for reason in held) or _is_over(use) for use in uses]
    line: list[Inline] = [Strong(_verdict(uses, any(over))), ": "]
    for number, (use, is_over) in enumerate(zip(uses, over, strict=True)):
        line += [" · "] if number else []
        line.append(Strong(_told(use)) if is_over else _told(use))
    together: Line = tuple(line)
    return [Paragraph((together,))]


def _holds(use: Use, reason: str) -> bool:
    """Whether a reason for holding names this ceiling, by its key or in words."""
    ceiling = CEILINGS.get(use.ceiling)
    if ceiling is None or use.ceiling in reason:
        return use.ceiling in reason
    words = rf"of {re.escape(ceiling.sign)}[\d,.]+{re.escape(ceiling.per)}(;|$)"
    return re.search(words, reason) is not None


def _verdict(uses: Sequence[Use], holds: bool) -> str:
    if any(_is_over(use) for use in uses):
        return "Over policy"
    return "Policy holds some back" if holds else "Within policy"


def _is_over(use: Use) -> bool:
    return use.used + use.planned > use.limit


def _told(use: Use) -> str:
    amounts = _amount(use.used + use.planned), _amount(use.limit)
    if use.ceiling not in _FORMS:
        return f"{use.ceiling[:100]} {amounts[0]} of {amounts[1]}"
    return _FORMS[use.ceiling].format(*amounts)


def _amount(value: float) -> str:
    """Return a whole number, with a decimal only where there is little of it."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
