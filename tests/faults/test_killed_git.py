"""Runner and git killed together while git holds a reference's lock, which nobody takes away then.

Where such a lock is in the way, it is said with the command that removes it; done that, the command
ends as it does undisturbed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fault_states import States
from fault_world import World
from survival import Story, faults_in_the_end, settle, tell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MOST = 20
HOOK = """\
#!/bin/sh
# The locks are held now, and nothing has moved.
[ "$1" = prepared ] || exit 0
count=$(($(cat "$0.count" 2>/dev/null || echo 0) + 1))
echo $count > "$0.count"
[ $count = "$(cat "$0.at")" ] || exit 0
kill -9 0
"""


@pytest.fixture(scope="module")
def retry(started_worlds: States) -> Story:
    done = frozenset({0, 1})
    return tell(started_worlds.world, started_worlds.synced, "retry", "lost", done=done)


def at_lock(world: World, number: int) -> Path:
    """Kill the command and every git of it when one of the clone's gits locks for the n-th time."""
    hook = world.clone / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    hook.with_name(f"{hook.name}.at").write_text(str(number))
    return hook


def lift_locks(story: Story) -> list[str]:
    """Run the command, and each cure that it names; return the cures."""
    cures = []
    for _ in range(MOST):
        answer = story.world.runner(*story.command)
        if answer.code in story.done:
            return cures
        assert "lock" in answer.err, answer
        cure = answer.err.partition("cure: ")[2].partition("   ")[0]
        assert cure.startswith("rm "), answer
        subprocess.run(["sh", "-c", cure], cwd=story.world.clone, check=True)
        cures.append(cure)
    raise AssertionError(f"still locked after {cures}")


def test_locks_that_a_killed_git_leaves_are_said_and_lifted(retry: Story) -> None:
    world, cures = retry.world, []
    for number in range(1, MOST):
        world.put_back(retry.start)
        before, hook = world.ledger_commit(), at_lock(world, number)
        answer = world.runner(*retry.command)
        hook.unlink()
        if answer.code == 0:
            break
        assert answer.was_killed
        found = lift_locks(retry)
        print(f"killed at lock {number}: {found or 'nothing in the way'}")
        cures += found
        wrong = [*settle(world, retry.command, retry.done), *faults_in_the_end(retry, before)]
        assert wrong == [], f"lock {number}: {wrong}"
    else:
        raise AssertionError(f"more than {MOST} locks")
    assert cures
