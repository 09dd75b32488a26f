"""verl's supervised trainer on two nodes, for real: by torchrun, with a disk each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodes import Nodes
from test_ray import ROOT, TRAIN_PYTHON, needs_ray

from runner.node.checkpoints import newest_complete

pytestmark = [*needs_ray, pytest.mark.slow, pytest.mark.timeout(1500)]
COMMON = {
    "trainer": "verl==0.9.1",
    "script": None,
    "model": {"source": "path", "path": "models/smoke/qwen2"},
    "checkpoints": {"export": "none"},
}
LENGTHS = {"max_prompt_tokens": 32, "max_response_tokens": 8}
SFT = {
    **COMMON,
    "algorithm": {"name": "sft"},
    "data": {"train": "data/smoke/sft.train.jsonl", **LENGTHS},
    "training": {
        "steps": 4,
        "prompts_per_step": 20,
        "learning_rate": 1e-3,
        "save_every": 2,
        "precision": "fp32",
    },
}


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    smoke = tmp_path / "smoke"
    smoke.mkdir()
    subprocess.run([sys.executable, ROOT / "data/prepare/smoke.py"], cwd=smoke, check=True)
    made = Nodes(tmp_path)
    made.train_python = str(TRAIN_PYTHON)
    made.files = {"models/smoke/qwen2": smoke / "models" / "smoke" / "qwen2"}
    made.files["data/smoke/sft.train.jsonl"] = ROOT / "data/smoke/sft.train.jsonl"
    yield made
    made.close()


def train(nodes: Nodes, spec: dict[str, Any], attempt: str = "a1", **changes: Any) -> None:
    """Train, and show both nodes' logs where that fails."""
    started = nodes.start(
        "", attempt, spec=spec, steps=spec["training"]["steps"], patience=120, **changes
    )
    codes = nodes.codes(started, 1200)
    logs = [nodes.read(name, attempt)[-4000:] for name in ("log.txt", "node-1/log.txt")]
    assert codes == [0, 0], "\n".join([*logs, nodes.read("result.json", attempt)])


def shards(nodes: Nodes) -> list[str]:
    """Return the weights that the newest checkpoint lists."""
    manifest = json.loads(nodes.store.get(f"{newest_complete(nodes.store)}/manifest.json"))
    return [name for name in sorted(manifest["sha256"]) if "model_world_size_2_rank" in name]


def test_supervised_training_goes_on_from_the_shards_of_both_nodes(nodes):
    train(nodes, {**SFT, "training": {**SFT["training"], "steps": 2}})
    assert [Path(name).stem[-6:] for name in shards(nodes)] == ["rank_0", "rank_1"]
    train(nodes, SFT, "a2", resume=newest_complete(nodes.store))
    assert (nodes.evidence("a2").last_step, nodes.evidence("a2").checkpoint_step) == (4, 4)
    steps = [json.loads(line)["step"] for line in nodes.read("metrics.jsonl", "a2").splitlines()]
    assert steps[0] == 3
