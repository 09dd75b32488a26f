"""Where a plan is told: the comment and the status, and what stays with the job.

plan -> annotations, summary, artifact, outputs (always) -> comment, status (where the token may)
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from runner.errors import InvalidSpec, Refused
from runner.findings import Finding
from runner.forges import toolkit
from runner.forges.base import DESCRIPTION_LIMIT, Forge, NotPermitted, Status, StatusState
from runner.planning.actions import Plan
from runner.report.markdown import to_markdown
from runner.report.page import Block, Code, Heading, Page, cells, compact_table, paragraph
from runner.report.plan.about import About
from runner.report.plan.comment import MARKER, headline, plan_comment, whole_plan

FINDINGS_SHOWN = 20


class Request(NamedTuple):
    """What asks to be merged."""

    number: int | None
    """The pull request; None in a merge queue."""
    head: str
    base: str
    """The commit that it would be merged into."""
    from_fork: bool = False


class Presentation(NamedTuple):
    """How one request's plan is told."""

    about: About
    prefix: str
    """`status_prefix` of registry.yaml."""
    artifact: Path | None = None
    """Folder of what the job keeps; None for nothing."""


def run_address() -> str:
    """Return the page of this workflow run, with its artifacts; empty outside of one."""
    server, repository, run = (
        os.environ.get(name, "")
        for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    )
    known = re.fullmatch(r"https?://[\w.:-]+", server) and re.fullmatch(r"[\w./-]+", repository)
    return f"{server}/{repository}/actions/runs/{run}" if known and run.isdecimal() else ""


def tell(forge: Forge, plan: Plan, shown: Presentation, *, checks_rewards: bool = False) -> None:
    """Tell a plan everywhere; raises OutsideError when the forge does not answer."""
    whole = whole_plan(plan, shown.about)
    found = (finding for action in plan.actions for finding in action.findings)
    toolkit.annotate(list(dict.fromkeys(found)))
    toolkit.summarize(whole)
    toolkit.set_output("rewards", "true" if checks_rewards else "false")
    toolkit.set_output("refused", "true" if plan.number_of("refuse") else "false")
    if shown.artifact is not None:
        shown.artifact.mkdir(parents=True, exist_ok=True)
        (shown.artifact / "plan.md").write_text(whole)
        content = json.dumps(plan.document(), indent=1, ensure_ascii=False)
        (shown.artifact / "plan.json").write_text(f"{content}\n")
    show(forge, plan, shown)


def show(forge: Forge, plan: Plan, shown: Presentation) -> None:
    """Put the plan into the request's one comment, and into its status."""
    state: StatusState = "failure" if plan.number_of("refuse") else "success"
    about = shown.about
    request = Request(about.number, about.head, about.base)
    line = headline(plan, about.owners)
    _write(forge, request, shown.prefix, plan_comment(plan, about), state, line)


def tell_refusal(forge: Forge, refusal: Refused, request: Request, prefix: str) -> None:
    """Tell why there is no plan: a conflict, or settings that cannot be read."""
    findings = refusal.findings if isinstance(refusal, InvalidSpec) else ()
    head = f"{MARKER}head={request.head} base={request.base} -->"
    body = f"{head}\n{to_markdown(_refusal_page(refusal, findings))}"
    toolkit.annotate(findings)
    toolkit.summarize(body)
    toolkit.set_output("refused", "true")
    _write(forge, request, prefix, body, "failure", f"refused: {refusal.message}")


def _refusal_page(refusal: Refused, findings: tuple[Finding, ...]) -> Page:
    blocks: list[Block] = [Heading((f"❌ Refused: {refusal.message[:300]}",), 3)]
    if refusal.cure:
        blocks.append(paragraph(refusal.cure[:500]))
    rows = tuple(
        ((Code(f"{one.path}:{one.line}"),), *cells(one.message[:300], one.cure[:300]))
        for one in findings[:FINDINGS_SHOWN]
    )
    if rows:
        blocks.append(compact_table(("where", "what", "cure"), rows))
    return Page(tuple(blocks))


def _write(
    forge: Forge, request: Request, prefix: str, body: str, state: StatusState, line: str
) -> None:
    flat = " ".join(line.split())[:DESCRIPTION_LIMIT]
    status = Status(request.head, f"{prefix}/plan", state, flat, run_address())
    try:
        forge.set_statuses([status])
        if request.number is not None:
            forge.comment(request.number, MARKER, body)
    except NotPermitted as error:
        toolkit.notice(f"The plan stands in this job's summary alone: {error.message}")
