"""A forge that only writes down what it is told; the real one is tested where its HTTP is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from planned_registry import SETTINGS, PlannedRegistry
from real_git import git

from runner.forges.base import Status
from runner.forges.none import NoForge
from runner.ledger.outbox import Outbox, read_outbox
from runner.ledger.record import Attempt, advance
from runner.sync import Synced, record
from runner.telling.announce import announce
from runner.telling.cadence import FILE

GITHUB = f"{SETTINGS}forge: github\n"
HOOKED = f"{GITHUB}webhook: CHAT_URL\n"
NEVER = "2099-01-01T00:00:00Z"


class RecordingForge(NoForge):
    """A forge that writes down what it is told, or does not answer."""

    name = "recording"

    def __init__(self, requests: dict[str, int] | None = None) -> None:
        self.written: list[Status] = []
        self.comments: dict[tuple[int, str], str] = {}
        self.requests = requests or {}
        self.fault: Exception | None = None

    def set_statuses(self, statuses: Iterable[Status]) -> None:
        if self.fault:
            raise self.fault
        for status in statuses:
            assert len(status.commit) == 40
            if self.shown.get((status.commit, status.context)) != status:
                self.written.append(status)

    def comment(self, number: int, marker: str, body: str) -> None:
        if self.fault:
            raise self.fault
        assert body.startswith(f"{marker}\n")
        self.comments[number, marker] = body

    def merged_by(self, commit: str) -> int | None:
        return self.requests.get(commit)

    def link(self, reference: str, path: str, line: int | None = None) -> str:
        return f"https://forge.example/{reference}/{path}"

    @property
    def shown(self) -> dict[tuple[str, str], Status]:
        return {(status.commit, status.context): status for status in self.written}

    def at(self, commit: str, name: str = "one") -> tuple[str, str]:
        status = self.shown[commit, f"runner/{name}"]
        return status.state, status.description


def head(registry: PlannedRegistry) -> str:
    return git(registry.folder, "rev-parse", "HEAD")


def tell(registry: PlannedRegistry, forge: RecordingForge, *names: str, **given: Any) -> Any:
    return announce(registry.workspace, forge, registry.snapshot, names, **given)


def over_ceiling(registry: PlannedRegistry) -> Any:
    """Return the plan, with all of it held for want of money."""
    plan = registry.plan(head(registry))
    reason = "new; $270 more would make $6,500 of $6,000 this month; alice may lift it"
    changed = {"action": "hold", "lifted_by": "owner", "reason": reason}
    actions = tuple(action._replace(**changed) for action in plan.actions)
    return plan._replace(actions=actions)


def ended(attempt: Attempt, **changes: Any) -> Attempt:
    values = {"outcome": "succeeded", "ended_at": "2026-01-02T00:00:00Z", **changes}
    return advance(attempt, "ended", **values)


def end(registry: PlannedRegistry, forge: NoForge, run_id: str, **changes: Any) -> Synced:
    """Record an end as `sync` does."""
    snapshot = registry.snapshot
    found = snapshot.records([run_id])[run_id]
    return record(registry.workspace, forge, snapshot, {run_id: ended(found.latest, **changes)})


def outbox(registry: PlannedRegistry) -> Outbox:
    return read_outbox(registry.snapshot)


def wait_a_little(registry: PlannedRegistry) -> None:
    """As if minutes had passed, or another clone were asked."""
    (registry.workspace.state / FILE).unlink(missing_ok=True)
