"""A checkpoint measured on validation sets: verl's own validation, with the work tree's reward."""

from __future__ import annotations

import json

import pytest


@pytest.mark.slow
def test_a_supervised_checkpoint_is_measured_on_sets_that_its_spec_does_not_name(demo):
    done = demo.runner(
        "eval", "smoke/sft",
        "--data", "sums=data/smoke/rl.val.jsonl", "--data", "seen=data/smoke/rl.train.jsonl",
        "--reward", "reward/arithmetic.py:compute_score", "--samples", "4", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)["metrics"]
    for name in ("sums", "seen"):
        accuracy = metrics[f"val/{name}/accuracy"]
        assert 0 <= accuracy <= metrics[f"val/{name}/pass_at_k"] <= 1
    assert metrics["val/seen/accuracy"] > 0  # its teacher is right in 8 of 20 rows
    assert demo.git("status", "--porcelain") == ""
