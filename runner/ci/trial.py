"""`/runner try`: two steps of a pull request's experiment, by a process that holds no token.

The job that runs it has none but to read the repository; git's fetch is the last that sees it. The
trial is another program, started in its place, with an environment that opens nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

from pydantic import Field, ValidationError

from runner.ci.credentials import lend_token_to_git, without_token
from runner.ci.event import Sha
from runner.errors import OutsideError, Refused
from runner.spec.experiment import NAME
from runner.spec.section import Section
from runner.workspace import Workspace

VARIABLE = "ROLLBOOK_TRY"
"""Environment variable that holds what the job before has granted, as JSON."""
STEPS = 2


class Trial(Section):
    """A trial that somebody with write access has asked for."""

    number: int = Field(gt=0)
    """The pull request."""
    head: Sha
    """Its head when it was asked for: what is pushed later is not what was looked at."""
    name: Annotated[str, Field(pattern=NAME.pattern, max_length=200)]


def try_request(workspace: Workspace) -> int:
    """Become `runner try` in a work tree of the request's head; does not return.

    Raises Refused when the head has moved since, OutsideError when it cannot be fetched.
    """
    trial = _granted()
    repository = workspace.repository
    lend_token_to_git(repository)
    remote = repository.remote("origin")
    if remote is None:
        raise OutsideError("there is no remote `origin` to fetch the pull request from")
    newest = remote.reference(f"refs/pull/{trial.number}/head")
    if newest != trial.head:
        raise Refused(
            f"the pull request's head is {(newest or 'gone')[:12]} now, not {trial.head[:12]}",
            cure=f"/runner try {trial.name}   once you have looked at it",
        )
    remote.fetch(f"refs/pull/{trial.number}/head", trial.head)
    folder = Path(mkdtemp(prefix="rollbook-try-")) / "request"
    repository.add_worktree(folder, trial.head)
    # -P: no file of the request comes first on sys.path.
    command = [sys.executable, "-P", "-m", "runner", "-C", str(folder), "try", trial.name]
    os.execve(sys.executable, [*command, "--steps", str(STEPS)], without_token())  # noqa: S606


def _granted() -> Trial:
    try:
        return Trial.model_validate(json.loads(os.environ.get(VARIABLE, "")))
    except (ValueError, ValidationError) as error:
        raise Refused(f"{VARIABLE} holds no trial that was granted") from error
