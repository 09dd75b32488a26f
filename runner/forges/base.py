"""What a forge is to the product: statuses beside commits, comments, and who may do what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from runner.errors import OutsideError

StatusState = Literal["pending", "success", "failure"]
DESCRIPTION_LIMIT = 140
"""Characters of a description (GitHub's limit for commit statuses)."""
CONTEXT_LIMIT = 255
"""Characters of a context (GitHub's limit)."""
COMMENT_LIMIT = 65_536
"""Bytes of a comment in UTF-8; GitHub counts characters, so this is on the safe side."""


class NotPermitted(OutsideError):
    """The forge knows our token and does not let it do this, such as a fork's read-only one.

    Trying again does not help; what was to be shown can still be said in the job's summary.
    """


class Status(NamedTuple):
    """One line beside a commit; the newest of a context counts."""

    commit: str
    context: str
    """`<prefix>/<experiment>`: fixed, so that a later status replaces an earlier one."""
    state: StatusState
    description: str
    url: str = ""
    """Where its link leads; empty for none."""


class PullRequest(NamedTuple):
    """A request to merge one commit into a branch."""

    number: int
    head: str
    """The commit that is asked to be merged."""
    base: str
    """The branch that it is to be merged into."""
    from_fork: bool
    """Whether its branch is in another repository than the registry's."""
    author: str


class Forge(Protocol):
    """A forge, such as GitHub. Every call raises OutsideError when the forge does not answer."""

    name: str

    def set_statuses(self, statuses: Iterable[Status]) -> None:
        """Show each status beside its commit; what is shown already is not written again."""

    def comment(self, number: int, marker: str, body: str) -> None:
        """Make `body` the one comment of ours on pull request `number` that begins with `marker`.

        An earlier one of ours is edited in place, one of anybody else's is never touched, and
        nothing is written where it says the same. `body` begins with `marker`.
        """

    def own_comment(self, number: int, marker: str) -> str | None:
        """Return the text of that comment of ours as it is now; None where there is none."""

    def reply(self, number: int, body: str) -> None:
        """Add a comment to pull request or issue `number`."""

    def pull_request(self, number: int) -> PullRequest | None:
        """Return the pull request `number` as it is now; None where there is none."""

    def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """Return the open pull requests."""

    def merged_by(self, commit: str) -> int | None:
        """Return the number of the merged pull request that brought `commit`; None for none."""

    def may_write(self, login: str) -> bool:
        """Return whether the person may write to the repository, as the forge says now."""

    def login(self) -> str | None:
        """Return whom the forge takes us for; None where it cannot say."""

    def link(self, reference: str, path: str, line: int | None = None) -> str:
        """Return the address of a file at a commit or branch; empty where there is none."""
