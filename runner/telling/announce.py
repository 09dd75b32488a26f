"""Telling elsewhere how experiments fare: commit statuses, comments on requests, the webhook.

    ledger (outbox, active runs) -> statuses, comments, messages -> what was told leaves the outbox

It only ever follows the ledger: a fault here loses nothing and fails no run. What was not told is
still in the outbox, and the next sync tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType

from runner import screen
from runner.errors import RunnerError
from runner.forges.base import Forge, Status
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.outbox import Event, OpenNote, Outbox, put_outbox, read_outbox
from runner.planning.actions import Plan
from runner.policy.trust import in_force
from runner.report.experiment_page import page_path
from runner.report.run_comment import About, marker, run_comment
from runner.report.statuses import context_of
from runner.telling.cadence import Cadence
from runner.telling.messages import events_to_tell, send_events
from runner.telling.showing import Showing, showings, spec_path, standing
from runner.telling.unlaunched import note_unlaunched
from runner.telling.webhook import Webhook
from runner.workspace import Workspace

MOST_FAULTS = 3
"""Faults after which the forge is left alone until the next time."""
# As subjects of the cadence; no experiment's name has a space.
_WEBHOOK = "the webhook"
_LAST_WORDS = "last words"


def has_listener(workspace: Workspace) -> bool:
    """Return whether registry.yaml names anybody to tell."""
    return workspace.registry.forge != "none" or workspace.registry.webhook is not None


def announce(
    workspace: Workspace,
    forge: Forge,
    snapshot: Snapshot,
    names: Iterable[str] = (),
    plan: Plan | None = None,
) -> tuple[str, ...]:
    """Tell how the experiments `names` stand, and whatever the outbox holds.

    With the `plan` of an apply also why something was not launched. Progress is told every few
    minutes only, what is new at once. Returns what could not be told, which is said on standard
    error as well; nothing is raised for it.
    """
    if not has_listener(workspace):
        return ()
    faults = _Faults()
    with faults:
        if plan is not None and workspace.registry.forge != "none":
            snapshot = note_unlaunched(workspace, snapshot, plan)
        told = _Round(workspace, forge, snapshot, faults).tell(names)
        _take_out(workspace, told)
    return tuple(faults.messages)


class _Faults:
    """Says what could not be told, and lets everything else go on."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __enter__(self) -> _Faults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, RunnerError):
            return False
        self.messages.append(error.message)
        screen.print_error(f"not told yet: {error.message}", error.cure)
        return True

    @property
    def are_too_many(self) -> bool:
        """Whether to leave the forge alone until the next time."""
        return len(self.messages) >= MOST_FAULTS

    def succeed(self, action: Callable[[], None]) -> bool:
        """Do something; return whether it was done."""
        before = len(self.messages)
        if self.are_too_many:
            return False
        with self:
            action()
        return len(self.messages) == before


class _Round:
    """One round of telling."""

    def __init__(
        self, workspace: Workspace, forge: Forge, snapshot: Snapshot, faults: _Faults
    ) -> None:
        self._workspace = workspace
        self._forge = forge
        self._snapshot = snapshot
        self._outbox = read_outbox(snapshot)
        self._cadence = Cadence(workspace.state)
        self._faults = faults

    def tell(self, names: Iterable[str]) -> Outbox:
        """Tell everything that is due; return what of the outbox was told."""
        registry, told = self._workspace.registry, Outbox()
        if self._forge.name != "none":  # without a token it is, and others will tell it
            told = self._tell_forge(names)
        # Whoever changes its name must not send the team's news elsewhere by the same merge.
        variable = in_force(self._workspace.repository, registry, self._snapshot).webhook
        if variable is not None:
            events = self._tell_webhook(Webhook(variable))
            told = told.model_copy(update={"webhook": events})
        self._cadence.save()
        return told

    def _tell_webhook(self, webhook: Webhook) -> tuple[Event, ...]:
        events = events_to_tell(self._snapshot, self._outbox)
        key = repr(events)
        if not events or not self._cadence.is_due(_WEBHOOK, key):
            return ()
        sent: tuple[Event, ...] = ()
        failed = True
        with self._faults:
            sent = send_events(webhook, self._snapshot, events, self._page_address)
            failed = False
        self._cadence.note(_WEBHOOK, key, failed=failed)
        return sent

    def _tell_forge(self, names: Iterable[str]) -> Outbox:
        outbox = self._outbox
        wanted = dict.fromkeys((*names, *(event.experiment for event in outbox.forge)))
        keys = {name: standing(self._snapshot, name, outbox) for name in wanted}
        due = [name for name in wanted if self._cadence.is_due(name, keys[name])]
        shown = self._show(due)
        for name in due:
            self._cadence.note(name, keys[name], failed=name not in shown)
        told = tuple(event for event in outbox.forge if event.experiment in shown)
        return Outbox(forge=told, notes=self._last_words())

    def _show(self, names: Iterable[str]) -> frozenset[str]:
        """Show experiments; return those of which everything is shown."""
        found: dict[str, list[Showing]] = {}
        for name in names:
            with self._faults:
                found[name] = showings(self._workspace, self._snapshot, name, self._outbox)
        by_commit: dict[str, list[Status]] = {}
        for showing in (one for of in found.values() for one in of):
            by_commit.setdefault(showing.commit, []).append(self._status(showing))
        refused = {commit for commit, of in by_commit.items() if not self._set(of)}
        shown = (
            name
            for name, of in found.items()
            if self._comment(of) and refused.isdisjoint(one.commit for one in of)
        )
        return frozenset(shown)

    def _last_words(self) -> tuple[OpenNote, ...]:
        """Show the last words on commits that experiments have left; return those shown."""
        notes, key = self._outbox.notes, repr(self._outbox.notes)
        if not notes or not self._cadence.is_due(_LAST_WORDS, key):
            return ()
        prefix = self._workspace.registry.status_prefix
        statuses = [
            Status(n.commit, context_of(prefix, n.experiment), n.state, n.description)
            for n in notes
        ]
        shown = self._set(statuses)
        self._cadence.note(_LAST_WORDS, key, failed=not shown)
        return notes if shown else ()

    def _set(self, statuses: Sequence[Status]) -> bool:
        return self._faults.succeed(lambda: self._forge.set_statuses(statuses))

    def _status(self, showing: Showing) -> Status:
        context = context_of(self._workspace.registry.status_prefix, showing.experiment)
        if showing.reports:
            url = self._page_address(page_path(showing.experiment))
        else:
            url = self._forge.link(showing.commit, spec_path(showing.experiment))
        return Status(showing.commit, context, *showing.told, url)

    def _comment(self, of: Sequence[Showing]) -> bool:
        """Write the comments about an experiment, one on each request that brought a version."""
        return self._faults.succeed(lambda: self._write_comments(of))

    def _write_comments(self, of: Sequence[Showing]) -> None:
        by_request: dict[int, Showing] = {}
        for showing in of:
            if showing.reports and showing.introduced:
                number = self._forge.merged_by(showing.introduced)
                if number is not None:
                    by_request.setdefault(number, showing)  # the present version comes first
        for number, showing in by_request.items():
            body = run_comment(
                About(
                    showing.experiment,
                    showing.told,
                    showing.reports,
                    showing.moment,
                    self._page_address,
                    showing.commit,
                )
            )
            self._forge.comment(number, marker(showing.experiment), body)

    def _page_address(self, path: str) -> str:
        return self._forge.link(self._workspace.registry.ledger.branch, path)


def _take_out(workspace: Workspace, told: Outbox) -> None:
    """Take what was told out of the outbox, as far as it is still the same there."""

    def step(newest: Snapshot) -> Changes:
        after = read_outbox(newest).without(told).of_active(newest.active())
        names = {event.experiment for event in (*told.forge, *told.webhook)}
        names |= {note.experiment for note in told.notes}
        return put_outbox(Draft(newest), after).changes(f"Told of {', '.join(sorted(names))}")

    if told != Outbox():
        workspace.ledger.transact(step)
