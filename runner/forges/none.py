"""No forge: statuses are kept on the ledger alone, with the run."""

from __future__ import annotations

from collections.abc import Iterable

from runner.forges.base import PullRequest, Status


class NoForge:
    """A forge that shows nothing and knows nobody."""

    name = "none"

    def set_statuses(self, statuses: Iterable[Status]) -> None:
        """Nothing to do: the ledger keeps every status beside its run."""

    def comment(self, number: int, marker: str, body: str) -> None:
        """Nothing to do: there is no page for it."""

    def own_comment(self, number: int, marker: str) -> str | None:
        """Return None: there is no page for it."""
        return None

    def reply(self, number: int, body: str) -> None:
        """Nothing to do: there is nobody to answer."""

    def pull_request(self, number: int) -> PullRequest | None:
        """Return None: there are no pull requests."""
        return None

    def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """Return none."""
        return ()

    def merged_by(self, commit: str) -> int | None:
        """Return None: there are no pull requests."""
        return None

    def may_write(self, login: str) -> bool:
        """Return False: nobody can be asked."""
        return False

    def login(self) -> str | None:
        """Return None: nobody can be asked."""
        return None

    def link(self, reference: str, path: str, line: int | None = None) -> str:
        """Return nothing: there are no pages."""
        return ""
