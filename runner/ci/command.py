"""A comment `/runner …` on a pull request: who may, what is done, and the answer below it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from runner import screen
from runner.ci.chat import VERBS, Command, parse
from runner.ci.credentials import lend_token_to_git
from runner.ci.deploy import Result, perform
from runner.ci.event import CommentEvent, read
from runner.ci.trial import STEPS, Trial
from runner.errors import EXIT_REFUSED, Refused, RunnerError
from runner.forges import open_forge
from runner.forges.base import COMMENT_LIMIT, Forge
from runner.forges.toolkit import commands_stopped, set_output
from runner.policy.secrecy import redactor
from runner.report.markdown import to_markdown
from runner.report.page import Block, Code, Page, Table, paragraph
from runner.workspace import Workspace

MOST_OF_A_LINE = 2000
"""Characters of one line of an answer."""
ROOM_FOR_MORE = 100
"""Bytes kept for the line that says how many are left out."""


def answer_comment(workspace: Workspace) -> int:
    """Do what the comment of the event asks for, and answer it; return the exit code.

    Comments that are not addressed to the runner are passed over.
    """
    event = read(CommentEvent)
    problem: Refused | None = None
    try:
        command = parse(event.comment.body)
    except Refused as refusal:
        command, problem = Command("help", ""), refusal
    if command is None or event.action != "created" or event.issue.pull_request is None:
        screen.say("not addressed to the runner: nothing done")
        return 0
    lend_token_to_git(workspace.repository)
    forge = open_forge(workspace)
    with commands_stopped():
        try:
            page, code = _answer(workspace, forge, event, command, problem)
        except RunnerError as error:
            page, code = _failed(error, redactor(workspace.registry).text), error.exit_code
            screen.print_error(error.message, error.cure)
    forge.reply(event.issue.number, to_markdown(page))
    return code


def _answer(
    workspace: Workspace,
    forge: Forge,
    event: CommentEvent,
    command: Command,
    problem: Refused | None,
) -> tuple[Page, int]:
    login = event.comment.user.login
    if not forge.may_write(login):
        raise Refused(
            f"{login} has no write access to this repository",
            cure="ask somebody who has to write the same comment",
        )
    if command.verb == "help":
        return _help(problem), EXIT_REFUSED if problem else 0
    if command.verb == "try":
        return _grant_trial(forge, event.issue.number, command.name), 0
    result: Result = perform(workspace, command.verb, command.name, login)
    clear = redactor(workspace.registry).text
    return _told([clear(line) for line in result.lines]), result.exit_code


def _told(lines: Sequence[str]) -> Page:
    """Return as many lines as a comment takes, and how many more there are."""
    blocks: list[Block] = []
    room = COMMENT_LIMIT - ROOM_FOR_MORE
    for line in lines:
        shown = f"{line[:MOST_OF_A_LINE]}…" if len(line) > MOST_OF_A_LINE else line
        block = paragraph(shown)
        room -= len(to_markdown(Page((block,))).encode()) + 2
        if room < 0:
            blocks.append(paragraph(f"… and {len(lines) - len(blocks):,} more"))
            break
        blocks.append(block)
    return Page(tuple(blocks))


def _grant_trial(forge: Forge, number: int, name: str) -> Page:
    """Let the job that comes next try `name` at the request's head as it is now."""
    request = forge.pull_request(number)
    if request is None:
        raise Refused(f"there is no pull request {number}")
    if request.from_fork:
        raise Refused(
            "this pull request comes from a fork: its code is not executed before it is merged",
            cure="push its branch to this repository once you have read it",
        )
    trial = Trial(number=number, head=request.head, name=name)
    set_output("try", json.dumps(trial.model_dump()))
    what = f"Trying {STEPS} steps of "
    return Page((paragraph(what, Code(name), " at ", Code(request.head[:12]), "."),))


def _help(problem: Refused | None) -> Page:
    rows = tuple(
        ((Code(f"/runner {verb}" + ("" if verb == "help" else " NAME")),), (text,))
        for verb, text in VERBS.items()
    )
    wrong = _told([f"{problem.message}. There is:"]).blocks if problem else ()
    return Page((*wrong, Table(("comment", "what it does"), rows)))


def _failed(error: RunnerError, clear: Callable[[str], str]) -> Page:
    """Say what was refused, or what failed outside, and the cure.

    Cleared before it is rendered: what Markdown escapes no longer has the form of a secret.
    """
    what = "Refused: " if error.exit_code == EXIT_REFUSED else "This did not work: "
    lines = [f"{what}{error.message}", *([error.cure] if error.cure else [])]
    return _told([clear(line) for line in lines])
