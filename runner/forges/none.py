"""No forge: statuses are kept on the ledger alone, with the run."""

from __future__ import annotations

from runner.forges.base import Status


class NoForge:
    """A forge that shows nothing."""

    name = "none"

    def set_status(self, status: Status) -> None:
        """Nothing to do: the ledger keeps every status beside its run."""
