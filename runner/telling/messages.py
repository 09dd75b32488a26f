"""What the webhook is told: a line per run that has ended, or has waited too long."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime

from runner import screen
from runner.ledger.branch import Snapshot
from runner.ledger.documents import experiment_of
from runner.ledger.outbox import Event, Outbox
from runner.ledger.record import RunRecord
from runner.report.experiment_page import page_path
from runner.report.outcome import describe
from runner.report.sections import money
from runner.report.statuses import Moment, tell, waited, waiting
from runner.spec.experiment import Experiment
from runner.telling.webhook import Webhook, escape, link

LONG_WAIT_SECONDS = 3600.0
"""From the launch of an attempt to a word that it still has not begun to train."""


def events_to_tell(snapshot: Snapshot, outbox: Outbox) -> tuple[Event, ...]:
    """Return what the webhook has not been told: runs that have ended, and long waits."""
    at = datetime.now(UTC)
    waits = [
        Event(experiment=r.experiment, what="waiting", run_id=r.run_id, attempt=r.latest.number)
        for r in snapshot.records(snapshot.active()).values()
        if r.latest.state in ("claimed", "submitted", "waiting")
        and r.latest.started_at is None
        and waited(r, at) >= LONG_WAIT_SECONDS
    ]
    new = (event for event in waits if event not in outbox.said)
    return (*outbox.webhook, *new)


def send_events(
    webhook: Webhook,
    snapshot: Snapshot,
    events: tuple[Event, ...],
    address: Callable[[str], str],
) -> tuple[Event, ...]:
    """Send `events` as one message and return those that need not be sent again.

    `address` gives the address of a file on the ledger. Where the variable is not set nothing is
    sent, and whoever syncs with it set sends it. Raises OutsideError when it is not taken.
    """
    if not webhook.is_set:
        _say_unset(webhook.variable)
        return ()
    records = snapshot.records(event.run_id for event in events)
    lines = [
        message(event, records[event.run_id], experiment_of(snapshot, event.run_id), address)
        for event in events
        if event.run_id in records
    ]
    if lines:
        webhook.send(lines)
    return events


@functools.cache
def _say_unset(variable: str) -> None:
    """Say once per process that the webhook's variable is missing."""
    screen.say(f"{variable} is not set: registry.yaml's webhook is not told from here")


def message(
    event: Event, record: RunRecord, spec: Experiment, address: Callable[[str], str]
) -> str:
    """Return what happened in one line of mrkdwn."""
    at = datetime.now(UTC)
    name = link(record.experiment, address(page_path(record.experiment)))
    point = "".join(f", {key}={value}" for key, value in record.point.items())
    who = f"{name}{escape(point)}, seed {record.seed}"
    if event.what == "waiting":
        return f"⏳ {who}: {escape(waiting(spec, record, at))}"
    attempt = next((a for a in record.attempts if a.number == event.attempt), record.latest)
    mark, text = describe(attempt)
    if attempt is record.latest:
        text = tell(spec, [record], Moment(at)).description
    cost = f", {money(attempt.cost_usd)}" if attempt.cost_usd else ""
    again = "" if attempt.outcome == "succeeded" else f" · `runner retry {record.run_id}`"
    return f"{mark} {who}: {escape(text)}{cost}{again}"
