# ruff: noqa: E501 - a table reads better in long lines
"""The cheapest edit with which a run fits, by the same estimate."""

import pytest
from setups import OFFLOADED, make, passes

from runner.forecast.cures import cheapest


@pytest.mark.parametrize(
    ("run", "cure"),
    [
        (make("Qwen/Qwen2.5-7B", "H100", 8, engine_share=0.9), "rollout.gpu_memory: 0.5"),
        (make("Qwen/Qwen2.5-7B", "H100", 8, engine_share=0.15), "rollout.tensor_parallel: 2"),
        (make("Qwen/Qwen2.5-7B", "H100", 4, pass_tokens=65536), "training.tokens_per_device: 16384"),
        (make("Qwen/Qwen2.5-7B", "H100", 2, **passes(16, 1536, **OFFLOADED)), "training.samples_per_device: 4"),
        (make("Qwen/Qwen2.5-7B", "H100", 8, pass_tokens=8192, recompute=False, engine_share=0.4), "training.gradient_checkpointing: true"),
    ],
)  # fmt: skip
def test_the_cheapest_edit_comes_first(run, cure):
    assert cheapest(run) == cure


def test_where_nothing_cheap_helps_adapters_and_more_gpus_are_named():
    run = make("Qwen/Qwen2.5-7B", "H100", 1, engine_share=0.4, **passes(4, 512, **OFFLOADED))
    assert cheapest(run) == "training.lora: {rank: 32, alpha: 32}; or 2 times the GPUs (2)"


def test_what_never_fits_has_no_cure():
    assert cheapest(make("deepseek-ai/DeepSeek-V3", "L4", 1)) is None
