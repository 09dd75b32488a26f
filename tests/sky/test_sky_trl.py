"""A real DPO run of TRL on the CPU, from `runner apply` to its checkpoint, through SkyPilot."""

from __future__ import annotations

import json

import pytest
from sky_smoke import merge_smoke

SPEC = """\
apiVersion: rollbook/v1
trainer: trl==1.16.0
model: {source: dvc, path: models/smoke/qwen2}
algorithm: {name: dpo}
data:
  train: data/smoke/preference.train.jsonl
  val: {sums: data/smoke/preference.val.jsonl}
  max_prompt_tokens: 32
  max_response_tokens: 8
training:
  precision: fp32
  steps: 4
  prompts_per_step: 10
  learning_rate: 1.0e-3
  save_every: 4
  evaluate_every: 2
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ended(make, train_python):
    """Train on the smoke data, whose files and model come from the DVC remote in the S3."""
    registry = make("trl")
    merge_smoke(registry, "trl==1.16.0")
    registry.merge({"dpo": SPEC + registry.resources()})
    registry.apply()
    registry.await_end("dpo")
    return registry


def test_it_trains_to_its_last_step_and_leaves_its_checkpoint(ended):
    attempt = ended.attempt("dpo")
    assert attempt["outcome"] == "succeeded", ended.succeed("logs", "dpo").out
    assert attempt["metrics"]["gradient/norm"] > 0
    assert attempt["checkpoint"].startswith("md5:")


def test_its_metrics_are_those_of_its_algorithm(ended):
    run_id = ended.run("dpo")["run_id"]
    curves = json.loads(ended.ledger(f"runs/{run_id[:2]}/{run_id}/metrics.json"))["curves"]
    assert [step for step, _ in curves["preference/accuracy"]] == [1, 2, 3, 4]
    assert [step for step, _ in curves["val/sums/preference_accuracy"]] == [2, 4]


def test_nothing_is_left(ended):
    assert ended.left(["dpo"]) == {}
