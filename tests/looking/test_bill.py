"""`runner cost`: what was spent, by experiment, attempt and place, and of the policy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from planned_registry import SPEC, PlannedRegistry
from real_git import MakeRepository
from typed_command import type_command

from runner.cli import cli
from runner.ledger.record import Stay, now
from runner.looking.bill import bill, document
from runner.storage.runfolder import open_run_store

GPUS = f"""{SPEC.replace("learning_rate", "save_every: 1, learning_rate")}\
resources: {{accelerators: 'H100:8', candidates: [{{infra: k8s/pool}}]}}
"""
SPECS = {
    "experiments/gsm8k/grpo.yaml": f"{GPUS}seeds: [1, 2]\n",
    "experiments/math/large.yaml": GPUS.replace("1.0e-6", "2.0e-6"),
}
MONTH = now()[:8]


class Spent(PlannedRegistry):
    """A registry whose three runs have been at several places."""

    def launched(self) -> tuple[str, str, str]:
        ids = self.run(
            launcher="skypilot",
            claimed_at=f"{MONTH}01T00:00:00Z",
            started_at=f"{MONTH}01T01:00:00Z",
            ended_at=f"{MONTH}01T05:00:00Z",
            gpus=8,
            gpu_hours=30.0,
            usd=90.0,
        )
        records = sorted(map(self.snapshot.find, ids), key=lambda one: (one.experiment, one.seed))
        first, second, third = (record.run_id for record in records)
        self.advance(first, stays=(stay("k8s/pool", 3.1, 60.0),), cost_usd=60.0)
        parts = (stay("k8s/pool", 2.9, 46.4), stay("gcp/us-central1/a", 0.4, 6.0, spot=True))
        self.advance(second, stays=parts, cost_usd=52.4)
        self.advance(third, stays=(stay("gcp/us-west1", 1.2, None),))
        return first, second, third


def stay(where: str, hours: float, usd: float | None, *, spot: bool = False) -> Stay:
    return Stay(where=where, seconds=hours * 3600, usd=usd, spot=spot)


@pytest.fixture
def registry(make_repository: MakeRepository) -> Spent:
    registry = Spent.with_files(make_repository(), SPECS)
    assert isinstance(registry, Spent)
    return registry


def told(registry: Spent, *arguments: str) -> str:
    result = CliRunner(mix_stderr=False).invoke(
        cli, ["-C", str(registry.folder), "cost", *arguments]
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def test_all_runs_by_experiment_place_and_month(registry):
    registry.launched()
    policy = "policy: {usd_per_month: 6000, gpus_at_once: 32}\n"
    settings = (registry.folder / "registry.yaml").read_text()
    registry.commit({"registry.yaml": f"{settings}{policy}"})
    assert (
        told(registry)
        == f"""\
EXPERIMENT  RUNS  GPU-H      COST
gsm8k/grpo     2   51.2   $112.40
math/large     1    9.6   ~$28.80
total          3   60.8  ~$141.20

PLACE     HOURS       COST
k8s/pool    6.0    $106.40
gcp spot    0.4      $6.00
gcp         1.2  not known

{MONTH[:7]}, spent or promised: $141.20 of $6,000.00, 60.8 GPU-h; 0 of 32 GPUs now
"""
    )


def test_an_experiment_by_attempt(registry):
    first, second, _ = registry.launched()
    assert (
        told(registry, "gsm8k/grpo")
        == f"""\
RUN           ATTEMPT  GPU-H    COST  AT MOST  WHERE               STATE
{first}        1   24.8  $60.00   $90.00  k8s/pool            ✅ succeeded
{second}        1   26.4  $52.40   $90.00  k8s/pool, gcp spot  ✅ succeeded

PLACE     HOURS     COST
k8s/pool    6.0  $106.40
gcp spot    0.4    $6.00
"""
    )
    assert told(registry, second[:6]).count("\n") == 6


def test_what_goes_on_counts_as_far_as_it_has_come(registry):
    [run_id, *_] = registry.run(
        "running", launcher="skypilot", claimed_at=now(), started_at=now(), gpus=8, usd=90.0
    )
    beat = {"time": now(), "phase": "training", "step": 1, "steps": 2, "seconds": 9, "usd": 3.5}
    store = open_run_store(registry.workspace, run_id)
    store.put("a1/epoch-1/heartbeat.json", json.dumps(beat).encode())
    item = next(i for i in bill(registry.workspace, None).items if i.record.run_id == run_id)
    assert (item.usd, item.is_estimate) == (3.5, False)
    assert "so far" in told(registry)


def test_the_same_as_json(registry):
    _, second, third = registry.launched()
    found: dict[str, Any] = json.loads(told(registry, "--json"))
    assert found == document(bill(registry.workspace, None))
    assert found["usd"] == 141.2
    assert [one["usd"] for one in found["experiments"]] == [112.4, 28.8]
    by_run = {one["run_id"]: one for one in found["attempts"]}
    assert by_run[third]["is_estimate"]
    assert [one["usd"] for one in by_run[second]["stays"]] == [46.4, 6.0]
    assert found["places"][-1] == {"place": "gcp", "hours": 1.2, "usd": None}


def test_runs_on_this_machine_say_nothing_of_money(make_repository):
    registry = Spent.with_files(make_repository(), {"experiments/a.yaml": SPEC})
    assert told(registry) == ""
    registry.run()
    assert told(registry) == "EXPERIMENT  RUNS\na              1\n"
    assert json.loads(told(registry, "--json"))["usd"] is None


@pytest.mark.parametrize(("launcher", "is_free"), [("local", True), ("skypilot", False)])
def test_runs_of_this_machine_are_said_to_cost_nothing(registry, launcher, is_free):
    registry.run(launcher=launcher, gpus=0, usd=None)
    said = type_command("-C", registry.folder, "cost")
    assert ("all of them ran on this machine, which costs nothing" in said.err) == is_free
