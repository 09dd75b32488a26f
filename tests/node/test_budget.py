"""What an attempt costs while it goes on: sums are right, and a part is never told as the whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from node_values import make_spec

from runner.ledger.record import Stay
from runner.node import job
from runner.node.budget import (
    HOUR,
    Meter,
    Pace,
    is_in_vain,
    meter_of,
    priced,
    rate_at,
    spent,
    without_meter,
)
from runner.node.rate import Rate
from runner.node.task import Evidence, Limits, NodeTask
from runner.node.whereabouts import stays, whereabouts
from runner.spec.experiment import Experiment
from runner.spec.infra import CLUSTER_INFO
from runner.storage.store import RunStore

RATES = (
    Rate(infra="gcp", usd_per_hour=90),
    Rate(infra="gcp/us-central1", usd_per_hour=80),
    Rate(infra="gcp", spot=True, usd_per_hour=30),
    Rate(infra="k8s/pool", usd_per_hour=16),
    Rate(infra="k8s/pool", usd_per_hour=17),
)
CENTRAL = {"cloud": "GCP", "region": "us-central1", "zone": "us-central1-a"}
WEST = {"cloud": "GCP", "region": "us-west1", "zone": None}


@pytest.mark.parametrize(
    ("where", "spot", "usd"),
    [
        ("gcp/us-central1/us-central1-a", False, 80),
        ("gcp/us-west1", False, 90),
        ("gcp/us-central1", True, 30),
        ("k8s/pool", False, 17),
        ("k8s", False, 17),  # where it says no more than that
        ("k8s/pool", True, None),
        ("aws/us-east-1", False, None),
        ("local", False, None),
    ],
)
def test_the_rate_of_the_smallest_known_place_counts(where: str, spot: bool, usd: Any) -> None:
    assert rate_at(RATES, where, spot=spot) == usd


def stay(where: str, seconds: float, nodes: int = 1, *, spot: bool = False) -> Stay:
    return Stay(where=where, seconds=seconds, nodes=nodes, spot=spot)


def test_a_stay_costs_nodes_times_rate_times_hours() -> None:
    known = priced([stay("k8s/pool", 1800, 2), stay("gcp/us-west1", 360, spot=True)], RATES)
    assert [one.usd for one in known] == [17.0, 3.0]
    assert spent(known) == 20.0


def test_a_part_is_never_told_as_the_whole() -> None:
    some = priced([stay("k8s/pool", 1800), stay("nowhere", 1800)], RATES)
    assert [one.usd for one in some] == [8.5, None]
    assert spent(some) is None
    assert spent(()) is None


places = st.sampled_from(["gcp/us-central1", "gcp/x", "k8s/pool"])
many_stays = st.lists(
    st.builds(stay, places, st.floats(0, 1e6), st.integers(1, 64)), min_size=1, max_size=8
)


@given(many_stays, many_stays)
def test_sums_add_up(first: list[Stay], second: list[Stay]) -> None:
    parts = [spent(priced(stays, RATES)) for stays in (first, second, [*first, *second])]
    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[2] == pytest.approx(parts[0] + parts[1], abs=0.02)


@given(st.floats(0.1, 1e4), st.floats(0, 100), st.floats(0.01, 1e4))
def test_the_ceiling_is_reached_when_its_seconds_have_passed(
    rate: float, before: float, ceiling: float
) -> None:
    meter = Meter(rate, before, ceiling)
    left = meter.seconds
    assert left is not None
    assert meter.is_over(left * 1.001 + 1)
    assert meter.is_over(0) == (before >= ceiling)
    if left > 1:
        assert not meter.is_over(left * 0.999 - 0.001)
    assert all(a <= b for a, b in pairwise(meter.spent(s) for s in sorted((0.0, 1.0, left))))


def test_without_a_ceiling_money_is_counted_and_never_over() -> None:
    meter = Meter(8.0)
    assert (meter.spent(HOUR), meter.is_over(1e9), meter.seconds) == (8.0, False, None)


def make_task(usd: float | None = 10.0, **changes: Any) -> NodeTask:
    candidates = [{"infra": "gcp", "spot": True}, {"infra": "gcp"}]
    budget = {"usd_per_run": usd, **changes.pop("budget", {})} if usd else None
    spec = make_spec(
        resources={"accelerators": "H100:8", "nodes": 2, "candidates": candidates}, budget=budget
    )
    content = {
        "run_id": "abcd00000000", "attempt": "a1", "job": "j", "nonce": "n", "experiment": "demo",
        "seed": 1, "spec": spec, "steps": 4, "commit": "", "code": "", "store": "", "scratch": "",
        "train_python": "", "data_remote": "", "checkpoint_remote": "", "rates": RATES,
        "limits": Limits(seconds=8 * 3600, usd=usd),
    }  # fmt: skip
    return NodeTask(**{**content, **changes})


def at(place: dict[str, Any] | None) -> dict[str, str]:
    return {CLUSTER_INFO: json.dumps(place)} if place else {}


def test_a_later_start_counts_what_the_earlier_ones_have_cost(tmp_path: Path) -> None:
    store, task = RunStore(str(tmp_path)), make_task(candidates=1)
    first = whereabouts(task, at(WEST))
    assert first.spot
    assert meter_of(task, store, 1, first) == Meter(60.0, 0.0, 10.0)  # 2 nodes at $30
    store.put("a1/epoch-1/where.json", first.model_dump_json().encode())
    store.put("a1/epoch-1/heartbeat.json", b'{"seconds": 300}')
    # Of epoch 2 nothing is left: it never got so far.
    assert meter_of(task, store, 3, first) == Meter(60.0, 5.0, 10.0)


def test_where_spot_and_on_demand_are_open_the_dearer_counts(tmp_path: Path) -> None:
    task = make_task(candidates=2)
    here = whereabouts(task, at(CENTRAL))
    assert meter_of(task, RunStore(str(tmp_path)), 1, here) == Meter(160.0, 0.0, 10.0)


def test_a_budget_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    task, store = make_task(candidates=2, rates=()), RunStore(str(tmp_path))
    here = whereabouts(task, at(CENTRAL))
    assert meter_of(task, store, 1, here) is None
    assert without_meter(task, here) == (
        "the budget of $10.00 cannot be kept: no price is known for H100:8 on demand on "
        "gcp/us-central1/us-central1-a; the time limit counts alone"
    )
    # Here money is no matter: nothing is said of it.
    assert without_meter(task, whereabouts(task, {})) == ""
    assert without_meter(make_task(None), here) == ""


# Stopping at the last checkpoint that the budget reaches


def test_the_pace_is_that_of_the_fastest_step_and_not_of_the_start() -> None:
    pace = Pace()
    for step, at in ((0, 0.0), (0, 300.0), (1, 400.0), (2, 460.0), (2, 470.0), (4, 570.0)):
        pace.advance(step, at)
        assert pace.fastest is None
    pace.advance(5, 640.0)
    assert pace.fastest == 55.0


def training(when: str = "save_and_stop", every: int | None = 20) -> Experiment:
    steps = {"steps": 105, "prompts_per_step": 1, "learning_rate": 0.1, "save_every": every}
    return make_spec(training=steps, budget={"usd_per_run": 1, "when_exceeded": when})


@pytest.mark.parametrize(
    ("spec", "fastest", "left", "step", "kept", "expected"),
    [
        (training(), 10.0, 199.0, 40, 40, True),
        (training(), 10.0, 200.0, 40, 40, False),
        (training(), 10.0, 199.0, 40, 20, False),  # that of step 40 is being saved
        (training(), 10.0, 50.0, 55, 40, False),
        (training(), 10.0, 49.0, 55, 40, True),
        (training(), 10.0, 50.0, 100, 100, False),  # the end is nearer than the next checkpoint
        (training(), 10.0, 49.0, 100, 100, True),
        (training(), 10.0, 100.0, 3, 0, True),
        (training(), None, 1.0, 40, 40, False),
        (training(), 10.0, None, 40, 40, False),
        (training("stop"), 10.0, 1.0, 40, 40, False),
        (training(every=None), 10.0, 1.0, 40, 0, False),
        (make_spec(), 10.0, 1.0, 4, 4, False),
    ],
)
def test_what_would_be_lost_is_not_trained(
    spec: Experiment, fastest: Any, left: Any, step: int, kept: int, expected: bool
) -> None:
    assert is_in_vain(spec, fastest, left, step, kept, 105) is expected


STEADY = """\
import json, os, time
from pathlib import Path
folder = Path(os.environ["ROLLBOOK_CHECKPOINTS"])
with open(os.environ["ROLLBOOK_METRICS"], "a") as metrics:
    for step in range(1, 10_000):
        time.sleep(1)
        if step % 16 == 0:
            (folder / f"step-{step}").mkdir()
            (folder / f"step-{step}" / "weights").write_text(f"weights {step}")
        print(json.dumps({"step": step, "reward/mean": 0.5}), file=metrics, flush=True)
"""


def test_a_node_stops_at_the_last_checkpoint_that_its_budget_reaches(tmp_path: Path) -> None:
    store, task = node_task(tmp_path, STEADY, save_every=16, usd=28.0)
    assert start(tmp_path, task) == 5
    evidence = Evidence.model_validate_json(store.get("a1/epoch-1/evidence.json") or b"")
    assert evidence.stopped == "budget"
    assert evidence.checkpoint_step == 16
    assert evidence.seconds < 28.0  # before the ceiling: step 32 would have come after it


def test_a_node_stops_at_its_budget_and_keeps_what_it_has(tmp_path: Path) -> None:
    trainer = (Path(__file__).parent.parent / "e2e" / "tiny_trainer.py").read_text()
    held = ("--save-every", "2", "--hold-at", "5", "--until", str(tmp_path / "never"))
    store, task = node_task(tmp_path, trainer, *held, save_every=2, usd=8.0)
    assert start(tmp_path, task) == 5
    evidence = Evidence.model_validate_json(store.get("a1/epoch-1/evidence.json") or b"")
    assert (evidence.stopped, evidence.last_step, evidence.checkpoint_step) == ("budget", 5, 4)
    told = json.loads(store.get("a1/epoch-1/heartbeat.json") or b"")
    assert told["usd"] == pytest.approx(told["seconds"], abs=0.1)
    [known] = priced(stays(store, "a1"), task.rates)
    assert known.usd == pytest.approx(told["seconds"], abs=0.01)
    assert 8.0 <= told["usd"] < 30.0


def node_task(
    folder: Path, trainer: str, *arguments: str, save_every: int, usd: float
) -> tuple[RunStore, NodeTask]:
    """Return the task of a script that costs a dollar a second, and its store."""
    store, code = RunStore(str(folder / "store")), folder / "code"
    code.mkdir()
    (code / "train.py").write_text(trainer)
    steps = {"steps": 10_000, "prompts_per_step": 1, "learning_rate": 0.1}
    task = make_task(
        job="abcd00000000-a1-12345678",
        spec=make_spec(
            script={"command": ["python", "train.py", *arguments], "files": ["train.py"]},
            training={**steps, "save_every": save_every},
            resources={"accelerators": "H100:8", "candidates": [{"infra": "gcp"}]},
            budget={"usd_per_run": usd},
            checkpoints={"export": "none"},
        ),
        steps=10_000,
        code=str(code),
        store=store.url(),
        scratch=str(folder / "machine" / "scratch"),
        train_python=sys.executable,
        rates=(Rate(infra="gcp", usd_per_hour=3600.0),),
        limits=Limits(seconds=600, usd=usd),
    )
    return store, task


def start(folder: Path, task: NodeTask) -> int:
    machine = folder / "machine"
    machine.mkdir()
    (machine / job.TASK).write_text(task.model_dump_json(by_alias=True))
    command = [sys.executable, "-m", "runner", "node", str(machine / job.TASK)]
    environment = {**os.environ, **at(CENTRAL), "SKYPILOT_TASK_ID": "sky-managed-1"}
    return subprocess.run(command, env=environment, timeout=90).returncode
