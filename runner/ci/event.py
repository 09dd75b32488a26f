"""The event that started a workflow, from the file that GitHub Actions leaves, as frozen values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runner.errors import Refused

Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Verb = Literal["launch", "rerun", "retry", "cancel"]
"""What people ask for by name."""


class _Part(BaseModel):
    """A part of GitHub's payload; the many other fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Repository(_Part):
    full_name: str


class _Head(_Part):
    sha: Sha
    repo: _Repository | None
    """None when the fork was deleted."""


class _Base(_Part):
    ref: str
    repo: _Repository


class _Person(_Part):
    login: str


class _Request(_Part):
    number: int = Field(gt=0)
    head: _Head
    base: _Base
    user: _Person


class RequestEvent(_Part):
    """`pull_request`: opened, or its head has moved."""

    pull_request: _Request

    @property
    def from_fork(self) -> bool:
        """Whether its branch is in another repository."""
        head, base = self.pull_request.head.repo, self.pull_request.base.repo
        return head is None or head.full_name != base.full_name


class _Group(_Part):
    head_sha: Sha
    base_sha: Sha
    base_ref: str


class QueueEvent(_Part):
    """`merge_group`: the merge queue asks about a commit that it made."""

    merge_group: _Group


class _Issue(_Part):
    number: int = Field(gt=0)
    pull_request: dict[str, object] | None = None
    """There on a pull request, absent on an issue."""


class _Comment(_Part):
    body: str
    user: _Person


class CommentEvent(_Part):
    """`issue_comment`: somebody has written below a pull request or issue."""

    action: str
    issue: _Issue
    comment: _Comment


class _Inputs(_Part):
    verb: Literal["apply"] | Verb = "apply"
    name: str = ""


class DispatchEvent(_Part):
    """`workflow_dispatch`: somebody with write access has started the workflow by hand."""

    inputs: _Inputs | None = None
    sender: _Person


E = TypeVar("E", bound=_Part)


def name() -> str:
    """Return what kind of event started this workflow; raises Refused outside of one."""
    found = os.environ.get("GITHUB_EVENT_NAME", "")
    if not found:
        raise Refused(
            "this is no workflow of GitHub Actions: GITHUB_EVENT_NAME is not set",
            cure="runner plan, apply and sync do the same by hand",
        )
    return found


def read(kind: type[E]) -> E:
    """Return the event; raises Refused when the file is not there or says something else."""
    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        return kind.model_validate_json(Path(path).read_bytes())
    except (OSError, ValidationError) as error:
        raise Refused(
            f"the event {name()} in {path or 'GITHUB_EVENT_PATH'} is not as GitHub describes it: "
            f"{str(error).splitlines()[0]}"
        ) from error
