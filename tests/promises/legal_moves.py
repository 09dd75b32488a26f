"""What may become of a record, told by walking: the judge of what runner/ledger/record.py says.

Written from the words of the design and not from that module: a move either brings the newest
attempt one state on, or starts another attempt once that has ended; one commit may hold several
moves, and at most one new attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, get_args

from runner.ledger.record import Attempt, Outcome, RunRecord

ON: dict[str, tuple[str, ...]] = {
    "claimed": ("submitted", "ended"),
    "submitted": ("waiting", "running", "ended"),
    "waiting": ("running", "ended"),
    "running": ("waiting", "ended"),
    "ended": (),
}
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class Stand(NamedTuple):
    """What of an attempt is judged."""

    state: str
    outcome: str | None
    nonce: str
    place: tuple[str, str]
    """Launcher and endpoint."""


Stands = tuple[Stand, ...]


def stands(record: RunRecord | None) -> Stands:
    return tuple(map(_stand, record.attempts)) if record else ()


def _stand(attempt: Attempt) -> Stand:
    place = attempt.launcher, attempt.endpoint
    return Stand(attempt.state, attempt.outcome, attempt.nonce, place)


def _moves(now: Stands, room: tuple[Stand, ...]) -> Iterator[Stands]:
    """Yield what one move makes of `now`; `room` is the attempt that may still be started."""
    if now:
        *former, last = now
        for state in ON[last.state]:
            for outcome in OUTCOMES if state == "ended" else (None,):
                yield (*former, last._replace(state=state, outcome=outcome))
    if room and (not now or now[-1].state == "ended"):
        yield (*now, room[0]._replace(state="claimed", outcome=None))


def is_legal(before: RunRecord | None, after: RunRecord) -> bool:
    """Whether moves lead from `before` to `after`."""
    start, goal = stands(before), stands(after)
    same_run = before is None or (before.run_id, before.identity) == (after.run_id, after.identity)
    numbered = [attempt.number for attempt in after.attempts] == [*range(1, len(goal) + 1)]
    if not (same_run and numbered and len(start) <= len(goal) <= len(start) + 1):
        return False
    reached, new = {start}, [start]
    while new:
        now = new.pop()
        room = goal[len(start) :] if len(now) == len(start) else ()
        fresh = set(_moves(now, room)) - reached
        reached |= fresh
        new += fresh
    return goal in reached
