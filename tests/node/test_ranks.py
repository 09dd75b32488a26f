"""Runs on several nodes: processes on several addresses of this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nodes import IPS, KEY, Nodes

from runner.errors import OutsideError
from runner.node import companion, company, line, ranks
from runner.node.checkpoints import newest_complete
from runner.node.lease import acquire
from runner.node.line import Door, Line, WrongKey, dial
from runner.node.restarts import mark_cancelled
from runner.node.task import Limits

TRAIN = """\
import json, os, sys, time
from pathlib import Path
rank, nodes = int(os.environ["ROLLBOOK_NODE_RANK"]), int(os.environ["ROLLBOOK_NODES"])
folder = Path(os.environ["ROLLBOOK_CHECKPOINTS"])
first = max((int(path.name[5:]) for path in folder.glob("step-*")), default=0)
restored = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
print("node", rank, "of", nodes, "at", os.environ["ROLLBOOK_MASTER_ADDR"], "from", first,
      "with", restored, os.environ.get("PET_NODE_RANK"), flush=True)
print("key", os.environ.get("ROLLBOOK_RANKS_KEY"), flush=True)
barrier = Path(os.environ["BARRIER"])
barrier.mkdir(exist_ok=True)
for step in range(first + 1, int(os.environ["ROLLBOOK_STEPS"]) + 1):
    part = folder / f".step-{step}"
    part.mkdir()
    (part / f"shard-{rank}").write_text(f"weights {step} of node {rank}")
    (part / "config").write_text("the same on all")
    (barrier / f"{step}-{rank}").touch()
    while len(list(barrier.glob(f"{step}-*"))) < nodes:
        time.sleep(0.05)
    part.rename(folder / f"step-{step}")
    if rank == 0:
        with open(os.environ["ROLLBOOK_METRICS"], "a") as metrics:
            print(json.dumps({"step": step, "reward/mean": 0.5}), file=metrics)
"""
SLEEP = TRAIN + "time.sleep(100)\n"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Nodes]]:
    made = []

    def make(count: int = 2, *, shared: bool = False) -> Nodes:
        made.append(Nodes(tmp_path, count, shared=shared))
        return made[-1]

    yield make
    for nodes in made:
        nodes.close()


def test_all_nodes_train_and_their_shards_are_one_checkpoint(make):
    nodes = make(3)
    assert nodes.run(TRAIN) == [0, 0, 0], nodes.said(0) + nodes.said(1)
    assert nodes.result().exit_code == 0
    assert (nodes.evidence().last_step, nodes.evidence().checkpoint_step) == (4, 4)
    assert "node 0 of 3 at 127.0.0.1 from 0 with [] 0" in nodes.read("log.txt")
    for rank in (1, 2):
        assert f"node {rank} of 3 at 127.0.0.1 from 0 with [] {rank}" in nodes.read(
            f"node-{rank}/log.txt"
        )
        assert nodes.read(f"node-{rank}/system.jsonl")
        assert not nodes.read(f"node-{rank}/heartbeat.json")
    assert "key None" in nodes.read("log.txt")
    assert KEY not in nodes.read("task.json")
    name = newest_complete(nodes.store)
    manifest = json.loads(nodes.store.get(f"{name}/manifest.json"))
    shards = [f"step-4/shard-{rank}" for rank in range(3)]
    assert sorted(manifest["sha256"]) == ["step-4/config", *shards]
    assert nodes.left() == []
    for rank in range(3):
        assert not (nodes.home(rank) / "scratch").exists()


def test_each_node_has_all_shards_again(make):
    nodes = make()
    assert nodes.run(TRAIN, limits=Limits(seconds=120, steps=2)) == [0, 0]
    name = newest_complete(nodes.store)
    assert nodes.run(TRAIN, "a2", resume=name) == [0, 0]
    whole = "from 2 with ['step-2/config', 'step-2/shard-0', 'step-2/shard-1']"
    assert whole in nodes.read("log.txt", "a2")
    assert whole in nodes.read("node-1/log.txt", "a2")
    assert nodes.evidence("a2").checkpoint_step == 4


def test_nodes_with_one_disk_prepare_and_save_once(make):
    nodes = make(3, shared=True)
    script = TRAIN.replace("part.mkdir()", "part.mkdir(exist_ok=True)").replace(
        "    part.rename", "    if rank == 0: part.rename"
    )
    data = {"train": "train.py"}
    assert nodes.run(script, spec={"data": data}) == [0, 0, 0], nodes.said(1)
    name = newest_complete(nodes.store)
    manifest = json.loads(nodes.store.get(f"{name}/manifest.json"))
    shards = [f"step-4/shard-{rank}" for rank in range(3)]
    assert sorted(manifest["sha256"]) == ["step-4/config", *shards]
    assert nodes.left() == []


def test_two_nodes_that_write_one_name_differently_leave_no_checkpoint(make):
    nodes = make()
    script = TRAIN.replace('"shard-{rank}"', '"shard"')
    assert script != TRAIN
    assert nodes.run(script, patience=2) == [3, 3]
    assert "have both written step-4/shard, and not the same" in nodes.result().error
    assert newest_complete(nodes.store) is None


def test_the_rewards_of_all_nodes_count(make):
    nodes = make()
    script = TRAIN + (
        "from rollbook_reward import compute_score\n"
        'compute_score("set", str(rank), "1", {})\n'
        "time.sleep(2)\n"
    )
    assert nodes.run(script, spec={"reward": "reward.py:compute_score"}) == [0, 0]
    found = nodes.evidence().reward
    assert (found.calls, found.lowest, found.highest) == (2, 0.0, 1.0)


def test_a_node_that_is_missing_is_named(make):
    nodes = make(3)
    codes = nodes.codes(nodes.start(TRAIN, ranks=(0, 1), meeting=3))
    assert codes == [3, 3]
    assert nodes.result().error == "node 2 (127.0.0.3) has not joined within 3 s"
    assert nodes.left() == []


def test_a_node_alone_gives_up(make):
    nodes = make()
    assert nodes.codes(nodes.start(TRAIN, ranks=(1,), meeting=3)) == [3]
    assert "node 0 (127.0.0.1) has not answered within 3 s" in nodes.said(1)


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_node_that_dies_ends_the_run(make, restarts):
    nodes = make()
    limits = Limits(seconds=120, preemptions=restarts)
    first, second = nodes.start(SLEEP, limits=limits)
    nodes.until("node-1/log.txt", "node 1 of 2")
    second.kill()
    assert nodes.codes([first]) == [3]
    gone = "node 1 (127.0.0.2) is gone"
    if restarts:
        assert json.loads(nodes.read("heartbeat.json"))["phase"] == "interrupted"
        assert gone in nodes.read("log.txt")
        assert not nodes.read("result.json")
    else:
        assert nodes.result().error == gone


def test_when_the_first_node_dies_the_others_end(make):
    nodes = make()
    first, second = nodes.start(SLEEP)
    nodes.until("node-1/log.txt", "node 1 of 2")
    first.kill()
    assert nodes.codes([second]) == [3]
    assert "node 0 (127.0.0.1) is gone" in nodes.said(1)


def test_a_node_that_is_asked_to_stop_ends_the_run_in_order(make):
    nodes = make()
    first, second = nodes.start(SLEEP)
    nodes.until("node-1/log.txt", "node 1 of 2")
    nodes.until("metrics.jsonl", '"step": 4')
    second.send_signal(signal.SIGTERM)
    assert nodes.codes([first, second]) == [5, 5]
    assert nodes.evidence().stopped == "signal"
    assert "node 1 (127.0.0.2) was asked to stop by a signal" in nodes.read("log.txt")
    assert nodes.left() == []


@pytest.mark.parametrize("restarts", [0, 1])
def test_all_nodes_are_asked_to_stop_at_once(make, restarts):
    nodes = make()
    started = nodes.start(SLEEP, limits=Limits(seconds=120, preemptions=restarts))
    nodes.until("node-1/log.txt", "node 1 of 2")
    for process in reversed(started):  # twice, as Slurm and SkyPilot do
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
    assert nodes.codes(started) == [5, 5]
    assert json.loads(nodes.read("heartbeat.json"))["phase"] == (
        "interrupted" if restarts else "ended"
    )


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_node_that_is_stopped_while_it_prepares_was_taken_away(make, cancelled):
    nodes = make()
    limits = Limits(seconds=120, preemptions=1)
    first, second = nodes.start(TRAIN, limits=limits, environment={"SLOW": "1"})
    nodes.until("heartbeat.json", "preparing")
    if cancelled:
        mark_cancelled(nodes.store, "a1")
    second.send_signal(signal.SIGTERM)
    codes = nodes.codes([first, second])
    phase = json.loads(nodes.read("heartbeat.json"))["phase"]
    assert (codes, phase) == (([5, 5], "ended") if cancelled else ([3, 3], "interrupted"))


def test_a_command_that_fails_on_another_node_fails_the_run(make):
    nodes = make()
    script = SLEEP.replace("time.sleep(100)", "time.sleep(100) if rank == 0 else sys.exit(9)")
    assert nodes.run(script) == [5, 5]
    assert nodes.evidence().exit_code == 9
    assert "the command on node 1 (127.0.0.2) ended: 9" in nodes.read("log.txt")


def test_a_command_that_does_not_end_on_another_node_is_ended(make):
    nodes = make()
    script = TRAIN + "time.sleep(100 if rank else 0)\n"
    assert nodes.run(script, patience=2) == [0, 0]


def test_a_node_that_cannot_prepare_says_why(make):
    nodes = make()
    started = nodes.start(TRAIN, ranks=(0,))
    nodes.train_python = "/nowhere/python"
    started += nodes.start(TRAIN, ranks=(1,))
    assert nodes.codes(started) == [3, 3]
    why = "the training environment's Python does not run on node 1 (127.0.0.2)"
    assert nodes.result().error == why


def test_nodes_with_too_few_gpus_are_named(make):
    nodes = make()
    few = {"CUDA_VISIBLE_DEVICES": "0,1,2"}
    spec = {"resources": {"nodes": 2, "accelerators": "H100:4"}}
    started = nodes.start(
        TRAIN, ranks=(0,), spec=spec, environment={"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    )
    started += nodes.start(TRAIN, ranks=(1,), spec=spec, environment=few)
    assert nodes.codes(started) == [3, 3]
    assert nodes.result().error == "node 1 (127.0.0.2) has 3 GPUs, planned 4"


def test_another_job_on_the_same_ports_is_never_met(make, monkeypatch):
    nodes = make()
    # A job of another key has the first port of the sequence, and somebody who is silent the next.
    ports = ranks.ports(nodes.home(0).name)
    entered: list[Line] = []
    stranger = Door(IPS[0], ports, b"another key", entered.append)
    with socket.create_server((IPS[0], ports[1])):
        assert nodes.run(TRAIN) == [0, 0], nodes.said(0) + nodes.said(1)
    stranger.close()
    assert entered == []


def test_nodes_of_another_submission_are_turned_away(make):
    nodes = make()
    started = nodes.start(TRAIN, ranks=(0,), meeting=4)
    started += nodes.start(TRAIN, ranks=(1,), meeting=4, key="another key")
    assert nodes.codes(started) == [3, 3]
    assert "node 1 (127.0.0.2) has not joined" in nodes.result().error


def test_a_start_that_finds_the_end_lets_the_others_go(make):
    nodes = make()
    assert nodes.run(TRAIN) == [0, 0]
    for rank in range(2):  # the launcher starts the same job anew, in a fresh folder
        nodes.home(rank).parent.rename(nodes.folder / f"before-{rank}")
    assert nodes.run(TRAIN) == [0, 0]
    assert not nodes.read("log.txt", epoch=2)


def test_a_start_that_was_cancelled_lets_the_others_go(make):
    nodes = make()
    mark_cancelled(nodes.store, "a1")
    assert nodes.codes(nodes.start(TRAIN, meeting=300), seconds=60) == [5, 5]
    assert nodes.result().cancelled


def test_a_start_whose_lease_is_held_lets_the_others_go(make):
    nodes = make()
    acquire(nodes.store, "a1", "abcd00000000", "a1", "another job", "a1")
    assert nodes.codes(nodes.start(TRAIN, meeting=300), seconds=60) == [1, 1]
    assert "being trained by job another job" in nodes.said(0)


@pytest.mark.parametrize(
    ("visible", "count"), [("0,1,2", 3), ("-1", 0), ("", 0), ("GPU-5fd,GPU-77a", 2), (None, 4)]
)
def test_gpus_are_those_that_a_process_sees(tmp_path, monkeypatch, visible, count):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nfor n in 0 1 2 3; do echo GPU $n: H100; done\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert company.gpu_count() == count
    monkeypatch.setenv("PATH", "/nowhere")
    if visible is None:
        assert company.gpu_count() is None  # and then nobody says that there are too few


def test_what_is_here_is_found_by_the_path_of_node_0_too(tmp_path):
    here, there = tmp_path / "start-1" / "code", tmp_path / "start-0" / "code"
    [link] = companion._linked(str(here), str(there))
    (here / "train.py").write_text("here")
    assert (there / "train.py").read_text() == "here"
    assert list(companion._linked(str(here), str(there))) == []  # it is there already
    with pytest.raises(OutsideError, match="where node 0 has it"):
        list(companion._linked(str(here), str(here / "train.py" / "code")))
    link.unlink()
    assert (here / "train.py").exists()


# --- Who is who.


def test_the_launcher_says_which_node_it_is(monkeypatch):
    told = {"NODE_RANK": "1", "NODE_IPS": "10.0.0.1\n10.0.0.2", "NUM_NODES": "2"}
    for name, value in told.items():
        monkeypatch.setenv(f"SKYPILOT_{name}", value)
    with pytest.raises(OutsideError, match="ROLLBOOK_RANKS_KEY is not set"):
        ranks.ranks(2)
    monkeypatch.setenv("ROLLBOOK_RANKS_KEY", "k")
    own = ranks.ranks(2)
    assert (own.rank, own.ip, own.nodes) == (1, "10.0.0.2", 2)
    assert own.ray_token() == own._replace(rank=0).ray_token()
    assert own.ray_token() != own._replace(key=b"other").ray_token()
    with pytest.raises(OutsideError, match=re.escape("plans 4 nodes (`resources.nodes`)")):
        ranks.ranks(4)


def test_without_a_launcher_that_says_so_there_is_one(monkeypatch):
    for name in ("NODE_RANK", "NODE_IPS", "NUM_NODES"):
        monkeypatch.delenv(f"SKYPILOT_{name}", raising=False)
    own = ranks.ranks(1)
    assert (own.rank, own.nodes, own.ip) == (0, 1, "127.0.0.1")
    monkeypatch.setenv("SKYPILOT_NODE_IPS", "10.0.0.1")
    assert ranks.ranks(1).ip == "127.0.0.1"
    assert ranks.ranks(1).key != own.key
    with pytest.raises(OutsideError, match="plans 2 nodes"):
        ranks.ranks(2)


def test_ports_follow_from_the_job():
    assert ranks.ports("one") == ranks.ports("one")
    assert len({*ranks.ports("one"), *ranks.ports("two")}) == 16


# --- Lines.


@pytest.fixture
def door() -> Iterator[tuple[Door, list[Line]]]:
    entered: list[Line] = []
    opened = Door("127.0.0.1", (0,), b"key", entered.append)
    yield opened, entered
    opened.close()
    for one in entered:
        one.close()


def test_both_ends_prove_that_they_know_the_key(door):
    opened, entered = door
    with pytest.raises(WrongKey):
        dial(("127.0.0.1", opened.port), b"another")
    mine = dial(("127.0.0.1", opened.port), b"key")
    while not entered:
        time.sleep(0.01)
    theirs = entered[0]
    mine.send({"kind": "hello", "files": {"a": "b" * 100_000}})
    assert theirs.receive(5)["files"] == {"a": "b" * 100_000}
    mine.close()
    assert theirs.receive(5) is None


def test_whoever_says_nothing_keeps_nobody_waiting(door, monkeypatch):
    opened, entered = door
    monkeypatch.setattr(line, "HANDSHAKE_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", opened.port)) as silent:
        other = dial(("127.0.0.1", opened.port), b"key")
        other.close()
        silent.settimeout(5)
        assert silent.recv(1) == b""  # hung up on
    assert len(entered) == 1


def test_an_answer_that_was_echoed_is_no_proof(door):
    opened, entered = door
    greeting = line._GREETING
    with socket.create_connection(("127.0.0.1", opened.port)) as echo:
        echo.settimeout(5)
        echo.sendall(greeting + b"n" * 32)
        proof = echo.recv(64)[32:]
        echo.sendall(proof)
        assert echo.recv(1) == b""
    assert entered == []
