"""What makes a run fit, cheapest first: found by estimating each change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.forecast.memory import estimate
from runner.forecast.setup import Setup


class Change(NamedTuple):
    """An edit of the spec."""

    text: str
    run: Setup


def cheapest(run: Setup) -> str | None:
    """Return the edit, or pair of edits, with which the upper bound fits; None without one.

    What costs nothing or time comes first. Where that is not enough: adapters instead of all
    weights, or more GPUs, each with one cheap edit beside it where it takes that.
    """
    cheap = _fitting(list(_cheap(run)))
    if cheap:
        return cheap
    dear = [_fitting(changes) for changes in (list(_adapters(run)), list(_more_gpus(run)))]
    return "; or ".join(text for text in dear if text) or None


def _fitting(changes: list[Change]) -> str | None:
    """Return the first of `changes` that fits, else the first that does with a cheap one."""
    alone = next((change.text for change in changes if estimate(change.run).fits), None)
    if alone:
        return alone
    for change in changes:
        for second in _cheap(change.run):
            if second.text.partition(":")[0] not in change.text and estimate(second.run).fits:
                return f"{change.text} and {second.text}"
    return None


def _cheap(run: Setup) -> Iterator[Change]:
    """Yield edits that cost nothing or time."""
    if not run.recompute:
        yield Change("training.gradient_checkpointing: true", run._replace(recompute=True))
    yield from _smaller_passes(run)
    if run.stage == "rl":
        yield from _engine(run)
    if run.stage == "rl" and not (run.offload_weights and run.offload_states):
        text = "training.offload: {parameters: true, optimizer: true}"
        yield Change(text, run._replace(offload_weights=True, offload_states=True))


def _adapters(run: Setup) -> Iterator[Change]:
    if not run.lora_rank:
        yield Change("training.lora: {rank: 32, alpha: 32}", run._replace(lora_rank=32))


def _more_gpus(run: Setup) -> Iterator[Change]:
    for times in (2, 4, 8):
        more = run._replace(devices=run.devices * times, shards=run.shards * times)
        yield Change(f"{times} times the GPUs ({more.devices})", more)


def _smaller_passes(run: Setup) -> Iterator[Change]:
    tokens = run.pass_tokens // 2
    while tokens >= run.sequence:
        if run.packed:
            yield Change(f"training.tokens_per_device: {tokens}", run._replace(pass_tokens=tokens))
        elif run.pass_tokens % run.sequence == 0:
            samples = tokens // run.sequence
            smaller = run._replace(pass_tokens=samples * run.sequence)
            yield Change(f"training.samples_per_device: {samples}", smaller)
        tokens //= 2


def _engine(run: Setup) -> Iterator[Change]:
    for share in (0.5, 0.4, 0.3):
        if share < run.engine_share:
            yield Change(f"rollout.gpu_memory: {share}", run._replace(engine_share=share))
    for parallel in (2, 4, 8):
        divides = run.architecture.heads % parallel == 0 and run.devices % parallel == 0
        if run.engine_parallel < parallel <= run.gpus_per_node and divides:
            text = f"rollout.tensor_parallel: {parallel}"
            yield Change(text, run._replace(engine_parallel=parallel))
    for share in (0.7, 0.8):
        if share > run.engine_share:
            yield Change(f"rollout.gpu_memory: {share}", run._replace(engine_share=share))
