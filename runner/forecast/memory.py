"""How much memory each GPU needs in each phase of a run, and what would lower it.

An upper bound from formulas: every sequence as long as allowed, every pass as large as allowed. Its
error has not been measured: published configurations that run are not refused (tests), more is not
known. Sources of the formulas:

- weights, gradients, Adam's two moments, sharded: ZeRO (Rajbhandari et al. 2020, arXiv 1910.02054);
  verl keeps them all in `model_dtype`, fp32 unless told otherwise, and gathers layers as bf16;
- activations: Korthikanti et al. 2022 (arXiv 2205.05198): with recomputation 2 bytes x hidden size
  for each token and layer, and one layer in full; flash attention keeps no scores;
- logits: tokens x vocabulary x (4 + 2 + 1) bytes (verl, docs/perf/perf_tuning.rst);
- the rollout engine takes its share of the GPU's whole memory (vLLM's gpu_memory_utilization), its
  CUDA graphs beside it and not given back (same page);
- verl 0.9.1 holds the reference model in the host's memory (workers/engine/fsdp).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.forecast.setup import Setup

GIB = 2**30
RESERVE = 2 * GIB
"""CUDA contexts, communication buffers, fragmentation: assumed, not measured."""
GRAPHS = GIB
"""CUDA graphs of the rollout engine: assumed, not measured."""
LOGIT_BYTES = 7


class Term(NamedTuple):
    """One part of a phase's memory on one GPU, in bytes."""

    name: str
    size: float
    fixed: bool = False
    """Whether it is there whatever the length of sequences and the size of passes."""


class Phase(NamedTuple):
    """What lies in a GPU's memory at the same time."""

    name: str
    terms: tuple[Term, ...]

    @property
    def total(self) -> float:
        """Bytes."""
        return sum(term.size for term in self.terms)

    @property
    def fixed(self) -> float:
        """Bytes without what shrinks with sequences and passes."""
        return sum(term.size for term in self.terms if term.fixed)

    @property
    def largest(self) -> Term:
        """The largest term."""
        return max(self.terms, key=lambda term: term.size)


class Estimate(NamedTuple):
    """A run's memory per GPU."""

    phases: tuple[Phase, ...]
    capacity: float
    """Bytes of one GPU."""
    engine_weights: float
    engine_share: float
    """Bytes that the rollout engine may take; 0 without one."""

    @property
    def peak(self) -> Phase:
        """The phase that takes the most."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def is_impossible(self) -> bool:
        """Whether not even what is fixed fits."""
        return any(phase.fixed > self.capacity for phase in self.phases) or self.starves_engine

    @property
    def starves_engine(self) -> bool:
        """Whether the rollout engine's share does not even hold its weights."""
        return self.engine_share < self.engine_weights

    @property
    def fits(self) -> bool:
        """Whether the upper bound fits."""
        return self.peak.total <= self.capacity and not self.starves_engine


def estimate(run: Setup) -> Estimate:
    """Return the memory of each phase."""
    weights = run.engine_bytes * run.architecture.parameters / run.engine_parallel
    share = run.engine_share * run.gpu.memory_gib * GIB
    sampled = run.stage == "rl"
    phases = _rl_phases(run, weights, share) if sampled else [_update(run, "update", ())]
    return Estimate(
        tuple(phases),
        run.gpu.memory_gib * GIB,
        weights if sampled else 0.0,
        share if sampled else 0.0,
    )


def _rl_phases(run: Setup, weights: float, share: float) -> list[Phase]:
    idle = tuple(_resident(run, "policy"))
    critic = tuple(_resident(run, "critic")) if run.has_critic else ()
    graphs = [Term("CUDA graphs", GRAPHS)] if run.engine_graphs else []
    engine = (
        Term("engine weights", weights, fixed=True),
        Term("KV cache", max(0.0, share - weights)),
        *graphs,
    )
    scoring = (*idle, *critic, *graphs, *_forward(run), Term("reserve", RESERVE))
    phases = [
        Phase("rollout", (*engine, *idle, *critic, Term("reserve", RESERVE))),
        Phase("log-probabilities", scoring),
        _update(run, "update", (*critic, *graphs)),
    ]
    if run.has_reference and not run.lora_rank:
        phases.insert(2, Phase("reference", scoring))
    if run.has_critic:
        phases.insert(2, _update(run, "critic", (*idle, *graphs), logits=False))
    return phases


def _trainable(run: Setup) -> int:
    shape = run.architecture
    return shape.adapter_parameters(run.lora_rank) if run.lora_rank else shape.parameters


def _sharded(run: Setup, count: float) -> float:
    return 0.0 if run.states_on_host else count * run.weight_bytes / run.shards


def _resident(run: Setup, whose: str) -> Iterator[Term]:
    """What a model that is not being trained just now leaves on the GPU."""
    if not run.offload_weights:
        yield Term(f"{whose} weights", _sharded(run, run.architecture.parameters), fixed=True)
    if not run.offload_states:
        yield Term(f"{whose} Adam states", _sharded(run, 2 * _trainable(run)), fixed=True)


def _update(run: Setup, name: str, beside: tuple[Term, ...], *, logits: bool = True) -> Phase:
    whose = "critic" if name == "critic" else "policy"
    shape = run.architecture
    tokens = run.critic_tokens if name == "critic" else run.pass_tokens
    return Phase(
        name,
        (
            Term(f"{whose} weights", _sharded(run, shape.parameters), fixed=True),
            Term("gradients", _sharded(run, _trainable(run)), fixed=True),
            Term(f"{whose} Adam states", _sharded(run, 2 * _trainable(run)), fixed=True),
            Term("gathered layers", _gathered(run, backward=not run.lora_rank)),
            Term("activations", _activations(run, tokens)),
            *([Term("logits", _logits(run))] if logits else []),
            *beside,
            Term("reserve", RESERVE),
        ),
    )


def _forward(run: Setup) -> Iterator[Term]:
    yield Term("gathered layers", _gathered(run, backward=False))
    yield Term("activations", run.pass_tokens * _layer_bytes(run))
    yield Term("logits", _logits(run))


def _gathered(run: Setup, *, backward: bool) -> float:
    """Two layers (one in use, one fetched ahead), embedding and output layer, to compute with.

    Backward, the largest of them has its gradient in full too, as fp32, before it is split.
    """
    if run.shards == 1 and not run.states_on_host:
        # Nothing is split; one layer at a time has a copy to compute with.
        return float(run.compute_bytes * run.architecture.layer_parameters)
    shape = run.architecture
    held = float(run.compute_bytes * (2 * shape.layer_parameters + shape.head_parameters))
    gradient = 4.0 * max(shape.layer_parameters, shape.head_parameters)
    return held + (gradient if backward else 0.0)


def _layer_bytes(run: Setup) -> float:
    """Bytes of one layer's activations per token, its two normalizations in fp32.

    Inputs and outputs of both blocks, queries and attention output, keys and values, and four times
    the feed-forward width: gate, up, activation, product.
    """
    shape = run.architecture
    attention = 2 * shape.heads * shape.head_dim + shape.key_value_width
    numbers = 4 * shape.hidden + attention + 4 * shape.active_intermediate
    return float(run.compute_bytes * numbers + 8 * shape.hidden)


def _activations(run: Setup, tokens: int) -> float:
    shape = run.architecture
    if not run.recompute:
        return tokens * shape.layers * _layer_bytes(run)
    return tokens * (run.compute_bytes * shape.hidden * shape.layers + _layer_bytes(run))


def _logits(run: Setup) -> float:
    held = 0 if run.fused_logits else LOGIT_BYTES
    return float(held * run.pass_tokens * run.architecture.vocabulary)
