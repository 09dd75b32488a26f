"""What a job of GitHub Actions shows: annotations, its summary, outputs, masks.

Thin over GitHub's Actions toolkit for Python, which writes workflow commands with the right
escaping but has no job summary. A workflow command is a line on standard output, so whatever else
is printed there while a job handles texts of strangers belongs inside `commands_stopped`. Outside
of GitHub Actions nothing here does anything.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.errors import OutsideError
from runner.findings import Finding

ERRORS_SHOWN = 10
WARNINGS_SHOWN = 10
"""Annotations of a kind that GitHub shows per step; it drops the rest without a word."""
SUMMARY_LIMIT = 1 << 20
"""Bytes of a step's summary; GitHub drops a longer one as a whole."""
CLOSERS = 100
"""Bytes kept for the ends of a code block and of folds that a cut leaves open, eight at most."""
CUT_NOTE = "\n\n_Cut here: the whole is longer than the 1 MiB that GitHub shows._\n"


def in_actions() -> bool:
    """Return whether this process runs in a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotate(findings: Sequence[Finding]) -> None:
    """Show findings beside the lines of the spec: errors as errors, hints as warnings.

    What is over GitHub's limit is counted in one notice.
    """
    if not in_actions():
        return
    errors = [finding for finding in findings if finding.level == "error"]
    hints = [finding for finding in findings if finding.level == "hint"]
    for finding in (*errors[:ERRORS_SHOWN], *hints[:WARNINGS_SHOWN]):
        _annotate(finding)
    more = len(errors[ERRORS_SHOWN:]), len(hints[WARNINGS_SHOWN:])
    if any(more):
        notice(f"{more[0]} more errors and {more[1]} more hints: see the summary of this job")


def _annotate(finding: Finding) -> None:
    from actions_toolkit import core

    show = core.error if finding.level == "error" else core.warning
    show(
        printable(f"{finding.message}\n{finding.cure}"),
        title=printable(finding.rule),
        file=printable(finding.path),
        start_line=finding.line,
        end_line=finding.line,
        start_column=finding.column,
        end_column=finding.column,
    )
    sys.stdout.flush()


def notice(text: str) -> None:
    """Show a notice on the page of the job."""
    if in_actions():
        from actions_toolkit import core

        core.notice(printable(text))
        sys.stdout.flush()


def summarize(markdown: str) -> None:
    """Add to the summary of this step; what is over GitHub's limit is cut off at a paragraph.

    Raises OutsideError when the job's file for it cannot be written.
    """
    if not in_actions():
        return
    from actions_toolkit.file_command import issue_file_command

    with _written("GITHUB_STEP_SUMMARY") as file:
        # a line's end is added to each part
        issue_file_command("STEP_SUMMARY", cut(markdown, SUMMARY_LIMIT - file.stat().st_size - 1))


def set_output(name: str, value: str) -> None:
    """Give the value to later steps and jobs under that name of this step's outputs.

    Raises OutsideError when the job's file for it cannot be written.
    """
    if not in_actions():
        return
    from actions_toolkit import core

    with _written("GITHUB_OUTPUT"):
        core.set_output(name, _encodable(value))


def mask(value: str) -> None:
    """Have GitHub hide the value, and each line of it, in all logs of this job from here on."""
    if in_actions() and value.strip():
        from actions_toolkit import core

        core.set_secret(value)
        sys.stdout.flush()


@contextlib.contextmanager
def commands_stopped() -> Iterator[None]:
    """Have GitHub take what is printed meanwhile as text, whatever it looks like.

    Texts of strangers in a log could otherwise give orders: set outputs, hide words, annotate.
    Masks stay; of this module only summaries and outputs, which are files, work meanwhile. GitHub
    reads standard output and standard error apart, in no order that is promised: a workflow's step
    sends both to one (`2>&1`).
    """
    if not in_actions():
        yield
        return
    from actions_toolkit.command import issue

    token = secrets.token_hex(16)
    sys.stderr.flush()
    issue("stop-commands", token)
    sys.stdout.flush()
    try:
        yield
    finally:
        sys.stderr.flush()
        # on a line of its own, even where a printed text ended without one
        sys.stdout.write("\n")
        issue(token)
        sys.stdout.flush()


def cut(markdown: str, limit: int) -> str:
    """Return what fits into `limit` bytes, whole paragraphs, with a note where some are left out.

    Code blocks and folds that the cut opened are closed, so that the note is seen.
    """
    if len(_encodable(markdown).encode()) <= limit:
        return _encodable(markdown)
    room = max(limit - len(CUT_NOTE.encode()) - CLOSERS, 0)
    kept = _encodable(markdown).encode()[:room].decode(errors="ignore").rpartition("\n\n")[0]
    ends = "\n```" * (kept.count("\n```") % 2) + "\n</details>" * min(_open_folds(kept), 8)
    return f"{kept}{ends}{CUT_NOTE}".encode()[: max(limit, 0)].decode(errors="ignore")


def _open_folds(markdown: str) -> int:
    return max(markdown.count("<details") - markdown.count("</details>"), 0)


def printable(text: str) -> str:
    """Return the text with a mark for each control character but the end of a line."""
    return "".join(sign if sign == "\n" or sign.isprintable() else "�" for sign in text)


def _encodable(text: str) -> str:
    """Return the text without halves of surrogate pairs, which UTF-8 cannot say."""
    return text.encode(errors="replace").decode()


@contextlib.contextmanager
def _written(variable: str) -> Iterator[Path]:
    """Give the file that the job offers under `variable`."""
    file = Path(os.environ.get(variable, ""))
    try:
        if not file.is_file():
            raise FileNotFoundError(f"{variable} names no file")
        yield file
    except OSError as error:
        raise OutsideError(
            f"the job takes no summary or output: {error}", cure="see the runner of this job"
        ) from error
