"""Time: against published step times, and by hand."""

import pytest
from setups import make

from runner.forecast.duration import START, run_seconds, step_seconds
from runner.forecast.span import Span

PUBLISHED = [
    # NeMo RL 0.4, GRPO on OpenMathInstruct-2, DGX H100, on-policy rows: model, GPUs, samples a
    # step, longest sequence, mean length, tensor parallel of the engine, seconds of a step
    # (NVIDIA-NeMo/RL docs/about/performance-summary.md).
    ("meta-llama/Llama-3.1-8B-Instruct", 16, 2048, 4096, 1060, 1, 97.7),
    ("deepseek-ai/DeepSeek-V3", 256, 512, 1536, 745, 32, 154),
    ("Qwen/Qwen3-235B-A22B", 128, 512, 8192, 5671, 16, 506),
    ("Qwen/Qwen3-30B-A3B", 32, 2048, 4096, 3154, 4, 225),
    ("Qwen/Qwen3-32B", 32, 2048, 4096, 3206, 4, 393),
]
PROMPT = 150
"""Tokens of a prompt there: assumed; that they are short is all that matters."""


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row[0])
def test_published_step_times_lie_inside(row):
    model, gpus, samples, longest, mean, parallel, seconds = row
    run = make(
        model, "H100", gpus, gpus_per_node=8, prompts_per_step=samples, group_size=1,
        response_tokens=longest - PROMPT, engine_parallel=parallel,
    )  # fmt: skip
    answers = Span(low=mean - PROMPT, high=mean - PROMPT)
    found = step_seconds(run, answers, PROMPT)
    assert found.low <= seconds <= found.high
    assert found.high < (16 if parallel > 8 else 6) * found.low  # a range that says something


def test_supervised_training_by_hand():
    # 64 rows of 1000 tokens: 64,000 x 6 x 494,032,768 operations, at 45 % of 989e12.
    values = {"stage": "sft", "prompts_per_step": 64, "group_size": 1, "has_reference": False}
    run = make("Qwen/Qwen2.5-0.5B", "H100", 1, **values)
    found = step_seconds(run, Span(low=500, high=500), 500)
    assert found.low == pytest.approx(64_000 * 6 * 494_032_768 / (0.45 * 989e12))
    assert found.high == pytest.approx(3 * found.low)


def test_a_run_is_its_steps_and_its_start():
    run = make("Qwen/Qwen2.5-0.5B", "H100", 1)
    answers = Span(low=100, high=200)
    step = step_seconds(run, answers)
    assert run_seconds(run, 10, answers) == step.times(10).plus(START)


def test_what_makes_a_step_longer():
    def high(**changes):
        return step_seconds(
            make("Qwen/Qwen2.5-7B", "H100", 8, **changes), Span(low=1, high=900)
        ).high

    assert high(has_critic=True) > high()
    assert high(group_size=10) > high()
    assert high(response_tokens=2048) > high()
    assert high(has_reference=False) < high()
    assert high(gpus_per_node=4, engine_parallel=8) > high(engine_parallel=8)


def test_spans():
    assert Span(low=1, high=2).times(3) == Span(low=3, high=6)
    assert Span(low=1234.5, high=0.012345).rounded() == Span(low=1230, high=0.0123)
