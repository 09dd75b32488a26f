"""The comment that a pull request carries: what merging it would do, and what it would cost.

    plan -> headline -> table -> policy -> hints -> folded: reward, memory, batches -> next

The first screen is about fifteen lines; all else is folded. What does not fit into a comment is
shortened, then left out with the number of what is missing; the artifact has the whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.forges.base import COMMENT_LIMIT
from runner.planning.actions import Plan
from runner.report.markdown import to_markdown
from runner.report.page import Address, Block, Heading, Line, Page, Small, paragraph
from runner.report.plan.about import About
from runner.report.plan.forecast import forecast_folds
from runner.report.plan.groups import Group, groups
from runner.report.plan.headline import headline, launch_sums, refused_line
from runner.report.plan.hints import all_hints, hint_blocks, hints
from runner.report.plan.measure import COMMENT, WHOLE, Measure, spoken
from runner.report.plan.next import hold_lines, next_line
from runner.report.plan.policy import policy_line
from runner.report.plan.refusal import refusal_blocks, refusals
from runner.report.plan.reward import carried_rewards, reward_folds
from runner.report.plan.table import plan_table

MARKER = "<!-- rollbook:plan:v1 "
"""How the first line of a plan's comment begins."""

WHOLE_LIMIT = 1_000_000
"""Bytes of the whole plan; GitHub's job summary takes 1 MiB a step."""

__all__ = ["MARKER", "About", "carried_rewards", "headline", "plan_comment", "whole_plan"]


def plan_comment(plan: Plan, about: About) -> str:
    """Return the comment, its marker first, never larger than a comment may be."""
    found = groups(plan, about.runs)
    return _fitting(plan, found, about, COMMENT, COMMENT_LIMIT)


def whole_plan(plan: Plan, about: About) -> str:
    """Return the plan with all its rows, for the artifact and the job summary."""
    found = groups(plan, about.runs)
    return _fitting(plan, found, about, WHOLE, WHOLE_LIMIT)


def _fitting(
    plan: Plan, found: Sequence[Group], about: About, measures: Sequence[Measure], limit: int
) -> str:
    """Return the fullest text that is no larger than `limit` bytes."""
    body = ""
    for measure in measures:
        body = f"{marker(plan, about)}\n{to_markdown(page(plan, found, about, measure))}"
        if len(body.encode()) <= limit:
            return body
    return body


def marker(plan: Plan, about: About) -> str:
    """Return the hidden first line: digests and numbers of ours, no text of a spec."""
    request = f"pr={about.number} " if about.number is not None else ""
    digest, head, base = (_hex(one) for one in (plan.digest, about.head, about.base))
    return f"{MARKER}{request}digest={digest} head={head} base={base} -->"


def _hex(text: str) -> str:
    return text if re.fullmatch(r"[0-9a-f]{7,64}", text) else "none"


def page(plan: Plan, found: Sequence[Group], about: About, measure: Measure) -> Page:
    """Return a plan as a page."""
    refused = refusals(plan)
    doing = [one for one in found if one.first.action != "keep"]
    if not refused and not doing and not plan.notes:
        return Page((paragraph(f"✅ {_sentence(headline(plan))}."), _footer(about)))
    told, notes = hints(found), plan.notes
    blocks: list[Block] = [_heading(plan, about, measure)]
    blocks += refusal_blocks(refused, about, measure)
    blocks += _proceeding(plan) if refused else []
    blocks += plan_table(found, about, measure)
    blocks += policy_line(plan.policy, found)
    blocks += [paragraph("ℹ️ ", *measure.spoken(note)) for note in notes[: measure.unfolded]]
    blocks += hint_blocks(told, about, measure)
    blocks += hold_lines(found, about, measure)
    if measure.folds:
        blocks += reward_folds(about.rewards, about.carried, measure)
        blocks += all_hints(told, about, measure)
        blocks += forecast_folds(found, measure)
    following = next_line(found, [one.experiment for one in refused], about, measure)
    return Page((*blocks, *([following] if following else []), _footer(about)))


def _heading(plan: Plan, about: About, measure: Measure) -> Heading:
    line = headline(plan, about.owners)
    if refused := refusals(plan):
        return Heading(("❌ ", *spoken(_sentence(refused_line(refused, measure.text)))), 3)
    if plan.number_of("launch"):
        return Heading(("✅ Merging this ", *spoken(line)), 3)
    sign = "✋" if plan.number_of("hold") else "💤"
    return Heading((f"{sign} Merging this launches nothing: ", *spoken(line)), 3)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _proceeding(plan: Plan) -> list[Block]:
    """Say that what is refused blocks nothing else."""
    launched = [action for action in plan.actions if action.action == "launch"]
    if not launched:
        return []
    number = len(launched)
    many = "1 run" if number == 1 else f"{number:,} runs"
    return [paragraph(f"The rest proceeds: merging this launches {many}{launch_sums(launched)}.")]


def _footer(about: About) -> Small:
    line: Line = (f"plan of {_hex(about.head)[:7]} on {_hex(about.base)[:7]}",)
    if about.version:
        line = (*line, f" · rollbook {about.version[:50]}")
    if about.number is not None:
        line = (*line, " · edited in place")
    if about.complete:
        line = (*line, " · ", Address("full JSON", about.complete))
    return Small(line)
