"""What a forge is to the rest of the product: a place that shows statuses beside commits."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

StatusState = Literal["pending", "success", "failure"]
DESCRIPTION_LIMIT = 140
"""Characters of a description (GitHub's limit for commit statuses)."""


class Status(NamedTuple):
    """One line beside a commit; the newest of a context counts."""

    commit: str
    context: str
    """`<prefix>/<experiment>`: fixed, so that a later status replaces an earlier one."""
    state: StatusState
    description: str


class Forge(Protocol):
    """A forge, such as GitHub."""

    name: str

    def set_status(self, status: Status) -> None:
        """Show `status` beside its commit; the same one twice is one."""
