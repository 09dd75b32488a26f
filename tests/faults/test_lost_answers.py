"""What was done and not answered: a push, a submission, a status; and what is shown late.

The command goes on or ends as it may; run again, it ends where an undisturbed one does.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from crash_points import Point, Watch
from fault_states import States
from fault_world import World
from survival import GRACE_OVER, Story, faults_in_the_end, settle, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PUSHES = 7
"""Of the ledger by this apply, at most; a test asserts that there are not more."""
ON_PUSH = """\
#!/bin/sh
# Has accepted the push; what happens at which one is in the file beside it.
read old new reference
count=$(($(cat "$0.count" 2>/dev/null || echo 0) + 1))
echo $count > "$0.count"
[ $count = "$(cat "$0.at")" ] || exit 0
%s
"""
HANGS_UP = "kill -9 $PPID"
HANGS = "exec sleep 8 >/dev/null 2>&1"


@pytest.fixture(scope="module")
def apply(started_worlds: States) -> Story:
    return tell(started_worlds.world, started_worlds.merged, "apply")


@pytest.fixture
def world(apply: Story) -> World:
    apply.world.put_back(apply.start)
    return apply.world


def at_push(world: World, number: int, what: str) -> Path:
    """Let something happen when the ledger's `number`-th push from now has been accepted."""
    hook = world.origin / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(ON_PUSH % what)
    hook.chmod(0o755)
    hook.with_name("post-receive.at").write_text(str(number))
    return hook.with_name("post-receive.count")


def wrong_after(story: Story, before: str) -> list[str]:
    world = story.world
    wrong = list(settle(world, story.command, story.done))
    return [*wrong, *faults_in_the_end(story, before)]


@pytest.mark.parametrize("number", range(1, PUSHES + 1))
def test_a_push_is_taken_and_the_connection_is_lost(
    apply: Story, world: World, number: int
) -> None:
    before = world.ledger_commit()
    count = at_push(world, number, HANGS_UP)
    answer = world.runner("apply")
    assert answer.code == 0, answer
    assert number <= int(count.read_text()) <= PUSHES
    assert wrong_after(apply, before) == []


def test_a_push_is_taken_and_the_answer_never_comes(apply: Story, world: World) -> None:
    before = world.ledger_commit()
    at_push(world, 1, HANGS)
    answer = world.runner("apply", patience=2.0)
    assert answer.code == 0, answer
    assert wrong_after(apply, before) == []


@pytest.mark.parametrize("hides", [False, True])
@pytest.mark.parametrize(("fault", "code"), [("unclear", 3), ("bug", 70)])
def test_a_job_is_submitted_and_the_answer_is_lost(
    apply: Story, world: World, fault: str, code: int, *, hides: bool
) -> None:
    before = world.ledger_commit()
    world.jobs.behave(answer=fault, hides=hides)
    answer = world.runner("apply")
    assert answer.code == code, answer
    world.jobs.behave(answer="")
    assert wrong_after(apply, before) == []


def test_a_submission_that_failed_for_certain_is_sent_again_at_once(
    apply: Story, world: World
) -> None:
    before, jobs = world.ledger_commit(), len(world.jobs.jobs)
    world.jobs.behave(answer="refused")
    answer = world.runner("apply")
    assert (answer.code, len(world.jobs.jobs)) == (3, jobs), answer
    world.jobs.behave(answer="")
    assert world.runner("apply").code == 0
    assert len(world.jobs.jobs) > jobs
    assert wrong_after(apply, before) == []


def test_a_job_that_is_shown_late_is_waited_for_and_taken_over(apply: Story, world: World) -> None:
    before, jobs = world.ledger_commit(), len(world.jobs.jobs)
    world.jobs.behave(hides=True)
    submitting = next(one.label for one in apply.points if one.label.startswith("outside.submit "))
    submitted = Point(submitting.replace("submit ", "submitted "))
    assert world.runner("apply", watch=Watch(kill=submitted, world=str(world.folder))).was_killed
    there = len(world.jobs.jobs)
    assert there > jobs
    for _ in range(2):
        answer = world.runner("apply")
        assert (answer.code, len(world.jobs.jobs)) == (0, there), answer
        assert "perhaps being submitted by another runner" in answer.err
    world.jobs.behave(unseen=GRACE_OVER)
    assert world.runner("apply").code == 0
    assert wrong_after(apply, before) == []


def test_a_job_that_another_user_submitted_for_us_is_taken_over(apply: Story, world: World) -> None:
    before = world.ledger_commit()
    world.jobs.behave(answer="unclear")
    assert world.runner("apply").code == 3
    for job in world.jobs.jobs:
        world.jobs.change(job.id, user="a service account")
    world.jobs.behave(answer="")
    assert wrong_after(apply, before) == []


def test_a_number_that_is_another_users_by_now_is_left_alone(
    started_worlds: States,
) -> None:
    world = started_worlds.world
    world.put_back(started_worlds.synced)
    busy, jobs = world.record("busy"), len(world.jobs.jobs)
    number = world.jobs.job(str(busy.latest.job))
    assert number
    world.jobs.change(number.id, user="somebody", name="theirs", state="running")
    assert world.runner("sync").code == 0
    assert world.record("busy").latest.state == "running"  # nobody can say that it has ended
    assert world.runner("apply").code == 0
    assert world.runner("cancel", "busy").code == 0
    assert world.record("busy").latest.outcome == "cancelled"
    theirs = world.jobs.job("theirs")
    assert theirs
    assert (theirs.state, len(world.jobs.jobs)) == ("running", jobs)


@pytest.mark.parametrize("path", [r".*/statuses/.*", r".*/comments"])
def test_a_status_or_comment_is_taken_and_the_answer_is_lost(
    apply: Story, world: World, path: str
) -> None:
    before = world.ledger_commit()
    world.github.arm("lost", method="POST", path=path)
    assert world.runner("apply").code == 0
    assert wrong_after(apply, before) == []
