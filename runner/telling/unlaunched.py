"""What a plan did not launch, as notes on the ledger: nothing that was merged stays unexplained.

Refused experiments are failures. What waits for an owner's word or for another run is pending. An
experiment that says `launch: manual` is a success: the merge did all that was asked of it. Stale
experiments get no note: no merge has brought them, and the plan's comment lists them.

The note stands at the commit that brought the experiment's file. Once the file is edited or deleted
that commit gets a last word, so that no pending note is left behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.forges.base import StatusState
from runner.git.repository import Repository
from runner.ledger.branch import Snapshot
from runner.ledger.draft import Changes, Draft
from runner.ledger.outbox import Event, Note, OpenNote, Outbox, put_outbox, read_outbox
from runner.planning.actions import Action, Plan
from runner.report.statuses import cut
from runner.workspace import Workspace

MOST = 200
"""Notes of one plan: a broken base must not make a thousand requests of an apply."""
_ORDER = ("refuse", "hold", "wait")


def note_unlaunched(workspace: Workspace, snapshot: Snapshot, plan: Plan) -> Snapshot:
    """Write into the ledger what `plan` did not launch; return the ledger after it."""

    def step(newest: Snapshot) -> Changes:
        draft = Draft(newest)
        before = read_outbox(newest)
        return put_outbox(draft, _after(workspace, before, plan)).changes("Held, refused, waiting")

    before = read_outbox(snapshot)
    if _after(workspace, before, plan) == before:
        return snapshot
    return workspace.ledger.transact(step)


def _after(workspace: Workspace, before: Outbox, plan: Plan) -> Outbox:
    notes = _notes(workspace, before, plan)
    meant = {action.experiment for action in plan.actions}
    meant |= {n for n in before.unlaunched if plan.settled and n in plan.settled}
    kept = {n: note for n, note in before.unlaunched.items() if n not in meant}
    gone = {n for n in before.unlaunched if not _is_there(workspace, plan.head, n)}
    unlaunched = {**kept, **notes}
    for name in gone:
        unlaunched.pop(name, None)
    changed = [
        Event(experiment=name, what="changed")
        for name in {**before.unlaunched, **unlaunched}
        if before.unlaunched.get(name) != unlaunched.get(name)
    ]
    left = [
        last
        for name, note in before.unlaunched.items()
        if (last := _last_word(workspace.repository, plan.head, name, note))
    ]
    return before.with_events(forge=changed).model_copy(
        update={
            "unlaunched": dict(sorted(unlaunched.items())),
            "notes": tuple(dict.fromkeys((*before.notes, *left))),
        }
    )


def _notes(workspace: Workspace, before: Outbox, plan: Plan) -> dict[str, Note]:
    """Return a note for each experiment of which something is not launched."""
    open_actions: dict[str, list[Action]] = {}
    for action in plan.actions:
        if action.action in _ORDER and _is_there(workspace, plan.head, action.experiment):
            open_actions.setdefault(action.experiment, []).append(action)
    return {
        name: _note(workspace.repository, before.unlaunched.get(name), plan.head, actions)
        for name, actions in list(open_actions.items())[:MOST]
    }


def _note(
    repository: Repository,
    before: Note | None,
    head: str,
    actions: Sequence[Action],
) -> Note:
    action = min(actions, key=lambda one: _ORDER.index(one.action))
    path = _path(action.experiment)
    if before and _same_file(repository, before.commit, head, path):
        commit = before.commit
    else:
        commit = repository.history.last_change(head, path) or head
    state, text = _told(action)
    return Note(commit=commit, state=state, description=cut(text))


def _told(action: Action) -> tuple[StatusState, str]:
    if action.action == "refuse":
        return "failure", f"refused: {_why(action)}"
    if action.action == "hold" and action.lifted_by != "owner":
        return "success", f"not launched yet: {_end(action, 1)}"
    return "pending", f"{'held' if action.action == 'hold' else 'waiting'}: {_end(action, 2)}"


def _end(action: Action, parts: int) -> str:
    """Return the last parts of `why it is planned; why it does not start; what changes that`."""
    return "; ".join(action.reason.split("; ")[-parts:])


def _why(action: Action) -> str:
    errors = [finding.message for finding in action.findings if finding.level == "error"]
    return errors[0] if errors else action.reason


def _last_word(repository: Repository, head: str, name: str, note: Note) -> OpenNote | None:
    """Return what the commit of a former note says when the experiment has left it."""
    path = _path(name)
    if note.state != "pending" or _same_file(repository, note.commit, head, path):
        return None
    newer = repository.history.last_change(head, path)
    there = repository.reference(f"{head}:{path}")
    what = "edited" if there else "deleted"
    where = f" in {newer[:10]}" if newer else ""
    text = f"not launched: {what}{where}"
    return OpenNote(experiment=name, commit=note.commit, state="failure", description=text)


def _same_file(repository: Repository, one: str, other: str, path: str) -> bool:
    here = repository.reference(f"{one}:{path}")
    return one == other or (here is not None and here == repository.reference(f"{other}:{path}"))


def _is_there(workspace: Workspace, commit: str, name: str) -> bool:
    return workspace.repository.reference(f"{commit}:{_path(name)}") is not None


def _path(name: str) -> str:
    return f"experiments/{name}.yaml"
