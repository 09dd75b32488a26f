"""The states of a registry that the killed commands start from, each made by real commands.

applied   everything was launched; since then its nodes and its launcher have news for `sync`
synced    the same after that sync: a run succeeded, one is lost, one trains, one moved on
merged    synced, and a merge that asks `apply` to launch, cancel, hold and judge anew
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fault_world import GIT_CONFIG, LONG_AGO, Kept, NotingGitHub, World, spec
from forked_runner import Answer, ForkedRunner
from node_evidence import make_evidence

from runner.ledger.record import RunRecord
from runner.node.channel import EVIDENCE, METRICS, RESULT
from runner.node.task import Result
from runner.workspace import open_workspace

PLACES = """\
resources: {candidates: [{infra: slurm/a}, {infra: gcp}], wait_per_candidate: 1h}
"""
FIRST = {
    "good": spec("good"),
    "lost": spec("lost"),
    "busy": spec("busy"),
    "waits": spec("waits", PLACES),
    "edited": spec("first"),
    "unrecorded": spec("unrecorded"),
}
SECOND = {
    "fresh": spec("fresh"),
    "edited": spec("second", "when_edited: cancel_running\n"),
    "held": spec("held", "launch: manual\n"),
    "good": spec("good", "expect:\n- train/loss: last <= 5\n"),
}


class States(NamedTuple):
    """The world, and what it can be put back to."""

    world: World
    applied: Kept
    synced: Kept
    merged: Kept


@contextlib.contextmanager
def serving_states(folder: Path) -> Iterator[States]:
    """Make the states below `folder`."""
    root = folder / "world"
    github = NotingGitHub(root / "github")
    github.start()
    runner = ForkedRunner(folder)
    try:
        with pytest.MonkeyPatch.context() as environment:
            config = folder / ".gitconfig"
            config.write_text(GIT_CONFIG)
            environment.setenv("GIT_CONFIG_GLOBAL", str(config))
            environment.setenv("GIT_CONFIG_NOSYSTEM", "1")
            world = World(root, github, runner)
            states = _make(world)
        yield states
    finally:
        runner.close()
        github.stop()


def _make(world: World) -> States:
    world.make({})
    open_workspace(world.clone).ledger.create()
    world.merge(_files({n: text for n, text in FIRST.items() if n != "unrecorded"}))
    succeed(world.runner("apply"))
    world.merge(_files({"unrecorded": FIRST["unrecorded"]}))
    world.jobs.behave(answer="unclear")
    assert world.runner("apply").code == 3
    world.jobs.behave(answer="")
    _news(world)
    applied = world.keep("applied")
    succeed(world.runner("sync"))
    synced = world.keep("synced")
    world.merge(_files(SECOND))
    merged = world.keep("merged")
    return States(world, applied, synced, merged)


def succeed(answer: Answer) -> Answer:
    assert answer.code == 0, answer
    return answer


def _files(specs: dict[str, str]) -> dict[str, str]:
    return {f"experiments/{name}.yaml": text for name, text in specs.items()}


def _news(world: World) -> None:
    """Let time pass: what nodes and launcher tell of the jobs."""
    records = {record.experiment: record for record in world.records().values()}
    world.beat(records["busy"].run_id, 1, "training", 3)
    _finish(world, records["good"])
    for name, about in {
        "busy": {"state": "running"},
        "good": {"state": "ended"},
        "lost": {"state": "ended", "printed": ["no space left on device"]},
        "waits": {"state": "waiting", "since": LONG_AGO, "detail": "waiting for a machine"},
    }.items():
        world.jobs.change(str(records[name].latest.job), **about)


def _finish(world: World, record: RunRecord) -> None:
    world.beat(record.run_id, 1, "ended", 8)
    lines = [{"step": n, "metrics": {"train/loss": 8 / n}} for n in range(1, 9)]
    folder = world.store(record.run_id).at("a1/epoch-1")
    folder.put(METRICS, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
    folder.put(EVIDENCE, make_evidence(metrics={"train/loss": 1.0}).model_dump_json().encode())
    folder.put(RESULT, Result(exit_code=0).model_dump_json().encode())
