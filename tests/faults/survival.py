"""Killing a command at one point, running it again, and what must hold then and in the end."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from crash_points import Point, Watch, crash_points, read_points
from fault_world import Kept, World, records_in
from real_git import git

from runner.errors import Refused
from runner.ledger.record import RunRecord, check_successor

MOST_REPEATS = 5
GRACE_OVER = 0.001
"""Of `Launcher.unseen`: as if it had passed since every claim."""


class Story(NamedTuple):
    """A command, the state that it starts from, and how it ends when nobody disturbs it."""

    world: World
    start: Kept
    command: tuple[str, ...]
    points: tuple[Point, ...]
    golden: Mapping[str, str]
    later: Mapping[str, str]
    """What can be seen after a sync that sees the runs train."""
    done: frozenset[int]
    """Exit codes that say that there is nothing left to do."""


def tell(world: World, start: Kept, *command: str, done: frozenset[int] = frozenset({0})) -> Story:
    """Run a command undisturbed, and once more from the start, noting every call with an effect."""
    world.put_back(start)
    answer = world.runner(*command)
    assert answer.code == 0, answer
    assert list(settle(world, command, done)) == []
    golden = world.final()
    world.train()
    later = world.final()
    world.put_back(start)
    record = world.folder.with_name(f"calls-{command[0]}")
    record.unlink(missing_ok=True)
    answer = world.runner(*command, watch=Watch(record=str(record), world=str(world.folder)))
    assert answer.code == 0, answer
    points = tuple(dict.fromkeys(crash_points(read_points(Path(record)))))
    return Story(world, start, command, points, golden, later, done)


def survive(story: Story, watch: Watch, *, hides: bool = True, later: bool = False) -> list[str]:
    """Kill the command as `watch` says, run it again, and return what is wrong.

    With `hides` nobody finds what was submitted until the launcher's grace is over; with `later`
    a sync after that must leave what it would have left.
    """
    world = story.world
    watch.world = str(world.folder)
    world.put_back(story.start)
    world.jobs.behave(hides=hides)
    before = world.ledger_commit()
    killed = world.runner(*story.command, watch=watch)
    if not killed.was_killed and hides:  # it may be a point of what was hidden
        return survive(story, watch, hides=False, later=later)
    if not killed.was_killed:
        return [f"it was not killed: {killed}"]
    wrong = [f"just after the kill: {one}" for one in ledger_faults(world, before)]
    wrong += [f"run again: {one}" for one in settle(world, story.command, story.done)]
    wrong += [f"in the end: {one}" for one in faults_in_the_end(story, before)]
    if later and not wrong:
        world.train()
        wrong += [f"later: {one}" for one in differences(story.later, world.final())]
    return wrong


def settle(world: World, command: tuple[str, ...], done: frozenset[int]) -> Iterator[str]:
    """Run a command again until it changes nothing; return what is wrong with how it goes.

    The first time at once, then, where claims are left, with the launcher's grace over.
    """
    for _ in range(MOST_REPEATS):
        before = _mark(world)
        answer = world.runner(*command)
        if answer.code not in done:
            yield f"{answer}"
        open_claims = any(one.latest.state == "claimed" for one in world.records().values())
        if open_claims:
            world.jobs.behave(unseen=GRACE_OVER)
        elif _mark(world) == before:
            return
    yield f"it still changes something, or leaves claims, after {MOST_REPEATS} more runs: {answer}"


def _mark(world: World) -> tuple[str, int, int]:
    return world.ledger_commit(), len(world.github.state.statuses), len(world.jobs.jobs)


def faults_in_the_end(story: Story, before: str) -> list[str]:
    """Return what differs from the undisturbed command, for a ledger that was at `before`."""
    found = differences(story.golden, story.world.final())
    there = [one for one in found if not _is_page(one)]
    return [*ledger_faults(story.world, before), *there, *training_faults(story.world)]


def _is_page(difference: str) -> bool:
    """Whether it is of what the next transition writes anew."""
    path = difference.partition(":")[0].removeprefix("ledger ")
    return path.endswith(("README.md", "status.json")) or path.startswith("leaderboard/")


def differences(golden: Mapping[str, str], final: Mapping[str, str]) -> list[str]:
    """Return where an end differs from that of the undisturbed command."""
    found = []
    for key in sorted({*golden, *final}):
        wanted, there = golden.get(key), final.get(key)
        if wanted != there:
            found.append(f"{key}: {_difference(wanted or 'nothing', there or 'nothing')}")
    return found


def _difference(wanted: str, there: str) -> str:
    lines = set(there.splitlines()) ^ set(wanted.splitlines())
    mine = [f"+{line}" for line in there.splitlines() if line in lines]
    yours = [f"-{line}" for line in wanted.splitlines() if line in lines]
    return " ".join([*yours, *mine])[:600] or "the lines are in another order"


def training_faults(world: World) -> list[str]:
    """Return attempts that were submitted, or trained, more than once, and lost ones."""
    submitted = [(job.run_id, job.attempt) for job in world.jobs.jobs]
    twice = sorted({one for one in submitted if submitted.count(one) > 1})
    found = [f"{run_id} {attempt} was submitted twice" for run_id, attempt in twice]
    trained = world.trainings()
    found += [f"{one} trained {times} times" for one, times in trained.items() if times != 1]
    for record in world.records().values():
        job = world.jobs.job(record.latest.job or "")
        if record.is_active and (job is None or job.run_id != record.run_id):
            found.append(f"{record.run_id} has no job: {record.latest}")
    return found


def ledger_faults(world: World, before: str) -> list[str]:
    """Return what is wrong with the ledger at the origin, which was at `before` once.

    Each commit since then is held to the rules of the one before it.
    """
    found = []
    if wrong := _damage(world.origin):
        found.append(f"git fsck: {wrong}")
    if _git(world.origin, "merge-base", "--is-ancestor", before, "refs/heads/runs").returncode:
        return [*found, f"the ledger does not contain {before} any more"]
    commits = git(world.origin, "rev-list", "--reverse", f"{before}..refs/heads/runs").split()
    known = world.records(before)
    for commit in commits:
        files = world.ledger(commit)
        newer = records_in(files)
        found += [f"{commit[:10]}: {one}" for one in _step_faults(known, newer)]
        active = json.loads(files["active.json"])
        going = {i: record.latest.number for i, record in newer.items() if record.is_active}
        if active != going:
            found.append(f"{commit[:10]}: active.json says {active}, the records {going}")
        known = newer
    return found


def _damage(repository: Path) -> str:
    """Return what is wrong with a repository for good.

    A push that goes on after its runner was killed may bring a commit while it is looked at.
    """
    for pause in (0.0, 0.5, 2.0):
        time.sleep(pause)
        check = _git(repository, "fsck", "--strict", "--no-dangling", "--no-progress")
        if not check.returncode:
            return ""
    return f"exit {check.returncode}: {(check.stdout + check.stderr).decode()}"


def _step_faults(known: Mapping[str, RunRecord], newer: Mapping[str, RunRecord]) -> Iterator[str]:
    for run_id in known.keys() - newer.keys():
        yield f"run {run_id} is gone"
    for run_id, record in newer.items():
        try:
            check_successor(known.get(run_id), record)
        except Refused as error:
            yield error.message


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=folder, check=False, capture_output=True)


def shown(point: Point, wrong: list[str], limit: int = 6) -> str:
    """Return what went wrong with a kill at a point."""
    more = [f"… and {len(wrong) - limit} more"] if len(wrong) > limit else []
    return "\n    ".join([f"killed at {point}:", *wrong[:limit], *more])
