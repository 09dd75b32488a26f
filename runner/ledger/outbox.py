"""What of the ledger has still to be told elsewhere, as `outbox.json` on its branch.

A transition and its entry here are one commit, so whoever dies between writing the ledger and
telling the forge leaves what was not told to the next sync. An entry goes once it has been told;
telling twice changes nothing on a forge. Events are only written where there is somebody to tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from runner.forges.base import StatusState
from runner.ledger.draft import Draft
from runner.ledger.record import RunRecord, ledger_json
from runner.ledger.snapshot import Snapshot
from runner.spec.section import Section

OUTBOX = "outbox.json"
MOST_EVENTS = 1000
"""Events kept for a forge that nobody tells, the newest; any later news of a run tells it too."""
MOST_MESSAGES = 100
"""Events kept for a webhook that cannot be reached: the newest."""


class Event(Section):
    """Something that happened to an experiment, or to one attempt of a run of it."""

    experiment: str
    what: Literal["ended", "waiting", "changed"]
    """`waiting`: for longer than people expect; `changed`: what it stands for, or why it is held.
    """
    run_id: str = ""
    attempt: int = 0


class Note(Section):
    """A status of an experiment that does not follow from its runs."""

    commit: str
    state: StatusState
    description: str


class OpenNote(Note):
    """A note that has still to be shown."""

    experiment: str


class Outbox(Section):
    """What has still to be told, and what must be remembered of what was."""

    forge: tuple[Event, ...] = Field(default=(), strict=False)
    """Their experiments' statuses and comments are to be written."""
    webhook: tuple[Event, ...] = Field(default=(), strict=False)
    notes: tuple[OpenNote, ...] = Field(default=(), strict=False)
    """Last words on commits that the experiment has left."""
    unlaunched: dict[str, Note] = Field(default={})
    """By experiment, why something of it has not been launched, at the commit that brought it."""
    said: tuple[Event, ...] = Field(default=(), strict=False)
    """Waits that the webhook was told of; once is enough."""
    pages: tuple[str, ...] = Field(default=(), strict=False)
    """Experiments that stand for other runs, or expect something else, than their pages say."""

    def with_events(self, *, forge: Iterable[Event] = (), webhook: Iterable[Event] = ()) -> Outbox:
        """Return the outbox with more events; each is there once."""
        return self.model_copy(
            update={
                "forge": tuple(dict.fromkeys((*self.forge, *forge)))[-MOST_EVENTS:],
                "webhook": tuple(dict.fromkeys((*self.webhook, *webhook)))[-MOST_MESSAGES:],
            }
        )

    def with_pages(self, names: Iterable[str]) -> Outbox:
        """Return the outbox with experiments whose pages are to be written."""
        return self.model_copy(update={"pages": tuple(dict.fromkeys((*self.pages, *names)))})

    def without(self, told: Outbox) -> Outbox:
        """Return the outbox without what `told` holds of events and notes.

        Waits among them are remembered.
        """
        waits = (event for event in told.webhook if event.what == "waiting")
        return self.model_copy(
            update={
                "forge": tuple(event for event in self.forge if event not in told.forge),
                "webhook": tuple(event for event in self.webhook if event not in told.webhook),
                "notes": tuple(note for note in self.notes if note not in told.notes),
                "said": tuple(dict.fromkeys((*self.said, *waits))),
            }
        )

    def of_active(self, active: Iterable[str]) -> Outbox:
        """Return the outbox without remembered waits of runs that do not go on any more."""
        going = frozenset(active)
        said = tuple(event for event in self.said if event.run_id in going)
        return self.model_copy(update={"said": said})


def read_outbox(snapshot: Snapshot) -> Outbox:
    """Return what has still to be told; raises Refused when the file cannot be read."""
    content = snapshot.read(OUTBOX)
    return snapshot.parsed(OUTBOX, content or b"{}", Outbox.model_validate_json)


def put_outbox(draft: Draft, outbox: Outbox) -> Draft:
    """Write the outbox with the other changes of a transaction; nothing where nothing changes."""
    if outbox == read_outbox(draft.snapshot):
        return draft
    return draft.put(OUTBOX, outbox_file(outbox))


def outbox_file(outbox: Outbox) -> bytes:
    """Return the outbox as its file holds it."""
    return ledger_json(outbox.model_dump(mode="json", exclude_defaults=True))


def ending(record: RunRecord, experiment: str) -> Event:
    """Return that the newest attempt of a run has ended, as a run of `experiment`."""
    return Event(
        experiment=experiment, what="ended", run_id=record.run_id, attempt=record.latest.number
    )
