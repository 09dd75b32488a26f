"""How long a run takes, from a model of tokens and throughput: a wide range, for want of a run.

A step of reinforcement learning samples answers, scores them, and updates:

- updates cost 6 operations per active parameter and token, scoring 2 (Kaplan et al. 2020, arXiv
  2001.08361), at a share of the GPU's peak (MFU) of 0.15 to 0.45 for dense models and 0.03 to 0.25
  with experts;
- sampling is bound by memory: each token of an answer reads the weights and the answers' keys and
  values once (Pope et al. 2022, arXiv 2211.05102), at 0.35 to 0.7 of the bandwidth, from 0.1 where
  an engine spans nodes;
- answers are between a quarter of the longest allowed and all of it.

The shares were chosen so that the five on-policy GRPO rows that NeMo RL 0.4 publishes for DGX H100
lie inside (NVIDIA-NeMo/RL docs/about/performance-summary.md; tests/forecast/test_duration.py).
They have not been measured with verl. Earlier runs of an experiment give better numbers.
"""

from __future__ import annotations

from runner.forecast.setup import Setup
from runner.forecast.span import Span

DENSE_USE = Span(low=0.15, high=0.45)
SPARSE_USE = Span(low=0.03, high=0.25)
BANDWIDTH_USE = Span(low=0.35, high=0.7)
SPANNING_USE = 0.1
"""Least share of the bandwidth where an engine's GPUs are on several nodes."""
ANSWER_SHARE = Span(low=0.25, high=1.0)
START = Span(low=180.0, high=600.0)
"""Seconds until the first step: processes, weights, compilation. Assumed, not measured."""


def run_seconds(run: Setup, steps: int, answer_tokens: Span | None = None) -> Span:
    """Return the seconds of a run of `steps`, without validation and checkpoints.

    `answer_tokens`: the mean length of answers, where it is known.
    """
    return step_seconds(run, answer_tokens or answers(run)).times(steps).plus(START)


def answers(run: Setup) -> Span:
    """Return the mean length of answers, in tokens, as far as a spec tells."""
    return ANSWER_SHARE.times(run.response_tokens)


def step_seconds(run: Setup, answer_tokens: Span, prompt_tokens: float | None = None) -> Span:
    """Return the seconds of one step; prompts count as half the longest where nothing is known."""
    prompts = prompt_tokens if prompt_tokens is not None else run.prompt_tokens / 2
    tokens = Span(low=answer_tokens.low + prompts, high=answer_tokens.high + prompts)
    compute = _compute(run, tokens.times(run.samples))
    return compute if run.stage != "rl" else compute.plus(_sampling(run, answer_tokens, tokens))


def _compute(run: Setup, tokens: Span) -> Span:
    """Seconds that updates and scoring take."""
    passes = 6.0 + (2.0 if run.stage == "rl" else 0.0) + (2.0 if run.has_reference else 0.0)
    passes += 8.0 if run.has_critic else 0.0
    use = SPARSE_USE if run.architecture.experts else DENSE_USE
    peak = run.gpu.peak_tflops * 1e12 * run.devices
    operations = tokens.times(passes * run.architecture.active_parameters)
    return Span(low=operations.low / (peak * use.high), high=operations.high / (peak * use.low))


def _sampling(run: Setup, answer_tokens: Span, tokens: Span) -> Span:
    """Seconds that sampling takes; at worst one answer is as long as allowed.

    All answers of an engine are sampled at the same time; a token reads the weights that the
    engine's GPUs share, and for each answer the keys and values of half its final length.
    """
    shape = run.architecture
    engines = max(1, run.devices // run.engine_parallel)
    together = run.samples / engines
    weights = 2.0 * shape.parameters
    each = 2.0 * shape.layers * shape.key_value_width
    bandwidth = run.gpu.bandwidth_tb * 1e12 * run.engine_parallel
    worst = BANDWIDTH_USE.low if run.engine_parallel <= run.gpus_per_node else SPANNING_USE
    fast = (weights + together * each * tokens.low / 2) / (bandwidth * BANDWIDTH_USE.high)
    slow = (weights + together * each * tokens.high / 2) / (bandwidth * worst)
    return Span(low=answer_tokens.low * fast, high=run.response_tokens * slow)
