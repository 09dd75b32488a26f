"""`/runner try`: two steps of a pull request's experiment, by a process that holds no token.

One step of the job fetches the request by a token that may read the repository; another one, which
has none, becomes the trial, with an environment that opens nothing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import gettempdir
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


def fetch_trial(workspace: Workspace) -> int:
    """Lay the request's head out in a work tree of its own.

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
    repository.add_worktree(_folder(), trial.head)
    return 0


def try_request() -> int:
    """Become `runner try` in the work tree that `fetch_trial` has laid out; does not return."""
    trial, folder = _granted(), _folder()
    if not folder.is_dir():
        raise Refused(f"{folder} is not there", cure="runner ci fetch-trial   lays it out")
    # -P: no file of the request comes first on sys.path.
    command = [sys.executable, "-P", "-m", "runner", "-C", str(folder), "try", trial.name]
    limits = ("--steps", str(STEPS), "--launcher", "local")  # whatever the request's registry says
    os.execve(sys.executable, [*command, *limits], without_token())  # noqa: S606


def _folder() -> Path:
    """Return where the request is laid out; a job has a folder for such things."""
    return Path(os.environ.get("RUNNER_TEMP") or gettempdir()) / "rollbook-trial"


def _granted() -> Trial:
    try:
        return Trial.model_validate(json.loads(os.environ.get(VARIABLE, "")))
    except (ValueError, ValidationError) as error:
        raise Refused(f"{VARIABLE} holds no trial that was granted") from error
