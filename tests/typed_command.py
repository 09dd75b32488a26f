"""A command of the runner as a person types it, and its answer."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any, NamedTuple

from runner.__main__ import run


class Answer(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def cure(self) -> str:
        """The command of the cure, without what it does."""
        line = next(line for line in self.err.splitlines() if line.startswith("  cure: "))
        return line.removeprefix("  cure: ").partition("   ")[0]


def type_command(*arguments: object) -> Answer:
    """Run the command line in this process, so that a test can put a part of it in its place."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Answer(code, out.getvalue(), err.getvalue())
