"""A real GRPO run of verl on the CPU, from `runner apply` to its checkpoint, through SkyPilot."""

from __future__ import annotations

import pytest
from sky_smoke import merge_smoke

REWARD = """\
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    return sum(map(ord, solution_str)) % 10 / 10
"""
SPEC = """\
apiVersion: rollbook/v1
trainer: verl==0.9.1
model: {source: dvc, path: models/smoke/qwen2}
algorithm: {name: grpo, group_size: 4}
data: {train: data/smoke/rl.train.jsonl, max_prompt_tokens: 32, max_response_tokens: 8}
reward: reward/letters.py:compute_score
training: {precision: fp32, steps: 3, prompts_per_step: 10, learning_rate: 1.0e-3, save_every: 3}
rollout: {temperature: 1.0}
"""


@pytest.fixture(scope="module")
def ended(make, train_python):
    """Train on the smoke data, whose files and model come from the DVC remote in the S3."""
    registry = make("verl")
    merge_smoke(registry, "verl==0.9.1")
    registry.merge({"reward/letters.py": REWARD, "grpo": SPEC + registry.resources()})
    registry.apply()
    registry.await_end("grpo", seconds=900)
    return registry


def test_it_trains_every_step_and_leaves_its_checkpoint(ended):
    attempt = ended.attempt("grpo")
    assert attempt["outcome"] == "succeeded", ended.succeed("logs", "grpo").out
    assert [line["step"] for line in ended.metrics("grpo")] == [1, 2, 3]
    assert attempt["metrics"]["gradient/norm"] > 0
    assert attempt["checkpoint"].startswith("md5:")


def test_nothing_is_left(ended):
    assert ended.left(["grpo"]) == {}
