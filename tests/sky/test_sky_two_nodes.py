"""One run on two nodes of Slurm: one Ray cluster of both, with exactly their GPUs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sky_host import LOCK

SCRIPT = Path(__file__).with_name("ray_of_two_nodes.py")
ENVIRONMENT = "environments:\n  script: {lock: requirements/train-cpu.txt}\n"


@pytest.fixture(scope="module")
def ended(make, train_python):
    registry = make("two-nodes")
    section = {"command": ["python", "nodes.py"], "files": ["nodes.py"], "ray": True}
    spec = (
        f"apiVersion: rollbook/v1\ntrainer: script\nscript: {json.dumps(section)}\n"
        "training: {steps: 1, prompts_per_step: 1, learning_rate: 1e-3}\n"
        + registry.resources("H100:2", nodes=2)
    )
    settings = (registry.root / "registry.yaml").read_text()
    registry.merge(
        {
            "registry.yaml": settings + ENVIRONMENT,
            "requirements/train-cpu.txt": LOCK.read_text(),
            "nodes.py": SCRIPT.read_text(),
            "demo": spec,
        }
    )
    registry.apply()
    registry.await_end("demo")
    return registry


def test_both_nodes_are_one_ray_cluster_with_their_gpus(ended):
    attempt = ended.attempt("demo")
    assert attempt["outcome"] == "succeeded", ended.succeed("logs", "demo").out
    [line] = ended.metrics("demo")
    assert line["raw"] == {
        "my/nodes": 2,
        "my/gpus": 4,
        "my/reached": 2,
        "my/devices": 4,
        "reward/mean": 0.5,
    }


def test_nothing_is_left(ended):
    assert ended.left(["demo"]) == {}
