"""apply, sync, cancel and retry, killed before and after their side effects, and then run again.

Which side effects there are is found by watching each command (see crash_points). After every kill
and in the end: the ledger can be read and is whole, nothing of it is lost, each attempt has one job
and one training, and statuses and comments are those of a command that nobody disturbed.

ROLLBOOK_SEED chooses the samples again, ROLLBOOK_ALL=1 kills at every point instead.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterable

import pytest
from crash_points import Point, Side, Watch
from fault_states import States
from survival import Story, shown, survive, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PUSH = "subprocess.Popen git push"
REFUSED = frozenset({0, 1})
"""A second cancel or retry of what is done is refused."""
APPLY = {
    "the ledger's objects are written": "git fast-import",
    "a reference of the clone moves": "git update-ref refs/rollbook/ledger",
    "the ledger is pushed": "git push",
    "a job is submitted": "outside.submit",
    "a job is cancelled": "outside.cancel",
    "the run store is told": "cancelled",
    "a file is renamed": "os.rename",
    "a status or comment is sent": "http.client.send",
}


@pytest.fixture(scope="module")
def apply(started_worlds: States) -> Story:
    return tell(started_worlds.world, started_worlds.merged, "apply")


@pytest.fixture(scope="module")
def apply_by_http(started_worlds: States) -> Story:
    world = started_worlds.world
    world.put_back(started_worlds.merged)
    world.reach_by_http()
    return tell(world, world.keep("http"), "apply")


@pytest.fixture(scope="module")
def sync(started_worlds: States) -> Story:
    return tell(started_worlds.world, started_worlds.applied, "sync")


@pytest.fixture(scope="module")
def cancel(started_worlds: States) -> Story:
    return tell(started_worlds.world, started_worlds.synced, "cancel", "busy", done=REFUSED)


@pytest.fixture(scope="module")
def retry(started_worlds: States) -> Story:
    return tell(started_worlds.world, started_worlds.synced, "retry", "lost", done=REFUSED)


def chosen(points: Iterable[Point], number: int, choice: random.Random) -> list[Point]:
    """Return some of `points`, in their order; all where that is asked for."""
    there = list(points)
    if os.environ.get("ROLLBOOK_ALL") == "1":
        return there
    kept = set(choice.sample(range(len(there)), min(number, len(there))))
    return [point for index, point in enumerate(there) if index in kept]


def endure(story: Story, points: Iterable[Point], side: Side = "before", **how: object) -> None:
    """Kill the command at each of `points`; say at the end at which of them what went wrong."""
    failed = []
    for number, point in enumerate(points):
        watch = Watch(kill=point, side=side, **how)  # type: ignore[arg-type]
        # Servers that hide jobs and that do not; looking at what comes later costs as much again.
        wrong = survive(story, watch, hides=number % 2 == 0, later=number % 6 == 0)
        print(f"{story.command[0]} killed {side} {point}: {'wrong' if wrong else 'well'}")
        failed += [shown(point, wrong)] if wrong else []
    assert not failed, "\n".join(failed)


def test_the_side_effects_of_apply_are_found(apply: Story) -> None:
    labels = [point.label for point in apply.points]
    missing = [what for what, part in APPLY.items() if not any(part in one for one in labels)]
    assert missing == []


def test_apply_killed_before_and_after_every_side_effect(apply: Story) -> None:
    endure(apply, apply.points)


def test_apply_killed_while_what_it_started_goes_on(
    apply: Story, faults_random: random.Random
) -> None:
    starts = (point for point in apply.points if point.can_start)
    endure(apply, chosen(starts, 6, faults_random), "started")


def test_apply_killed_while_it_pushes_over_http(
    apply_by_http: Story, faults_random: random.Random
) -> None:
    pushes = [one for one in apply_by_http.points if one.label.startswith(PUSH)]
    endure(apply_by_http, chosen(pushes, 2, faults_random))
    endure(apply_by_http, chosen(pushes, 2, faults_random), "started")
    endure(apply_by_http, chosen(pushes, 2, faults_random), "started", group=True)


def test_apply_killed_by_the_signal_that_ends_jobs(
    apply: Story, faults_random: random.Random
) -> None:
    endure(apply, chosen(apply.points, 4, faults_random), signal=signal.SIGTERM)


def test_files_that_a_kill_leaves_empty(apply: Story, faults_random: random.Random) -> None:
    torn = (point for point in apply.points if point.can_tear and "descriptor" not in point.label)
    endure(apply, chosen(torn, 2, faults_random), "torn")


def test_sync_killed(sync: Story, faults_random: random.Random) -> None:
    endure(sync, chosen(sync.points, 8, faults_random))


def test_cancel_killed(cancel: Story, faults_random: random.Random) -> None:
    endure(cancel, chosen(cancel.points, 4, faults_random))


def test_retry_killed(retry: Story, faults_random: random.Random) -> None:
    endure(retry, chosen(retry.points, 5, faults_random))
