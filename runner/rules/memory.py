"""Rules on GPU memory, by the estimate of `runner/forecast/memory.py`."""

from __future__ import annotations

from collections.abc import Iterator

from runner.findings import Finding
from runner.forecast import cures
from runner.forecast.memory import GIB, Estimate, estimate
from runner.forecast.setup import Setup, has_memory_model, setup
from runner.rules.base import Subject


def fits(subject: Subject) -> Iterator[Finding]:
    """What lies in a GPU's memory whatever the length of sequences fits into it."""
    found = _estimate(subject)
    if found is None or not found[1].is_impossible:
        return
    run, sizes = found
    message = _starved(run, sizes) if sizes.starves_engine else _overfull(sizes)
    key = ("rollout", "gpu_memory") if sizes.starves_engine else ("resources", "accelerators")
    yield subject.at(key, message, _cure(run))


def tight(subject: Subject) -> Iterator[Finding]:
    """Every phase fits into a GPU's memory even if all sequences are as long as allowed."""
    found = _estimate(subject)
    if found is None or found[1].is_impossible or found[1].fits:
        return
    run, sizes = found
    peak = sizes.peak
    message = f"the {peak.name} phase may need {peak.total / GIB:.0f} of "
    message += f"{sizes.capacity / GIB:.0f} GiB per GPU if sequences are as long as allowed, "
    message += f"{peak.largest.size / GIB:.0f} of them for {peak.largest.name} "
    message += "(an upper bound; its error is not measured)"
    yield subject.at(("resources", "accelerators"), message, _cure(run))


def _estimate(subject: Subject) -> tuple[Setup, Estimate] | None:
    if subject.spec.resources.accelerators is None or not has_memory_model(subject.spec):
        return None
    facts = subject.context.models.find(subject.spec.model)
    run = setup(subject.spec, facts.architecture) if facts else None
    return (run, estimate(run)) if run else None


def _starved(run: Setup, sizes: Estimate) -> str:
    return (
        f"the rollout engine gets {run.engine_share:g} of {sizes.capacity / GIB:.0f} GiB = "
        f"{sizes.engine_share / GIB:.0f} GiB per GPU; its weights alone need "
        f"{sizes.engine_weights / GIB:.0f} GiB with tensor_parallel {run.engine_parallel}"
    )


def _overfull(sizes: Estimate) -> str:
    phase = max(sizes.phases, key=lambda one: one.fixed)
    parts = ", ".join(f"{one.name} {one.size / GIB:.0f}" for one in phase.terms if one.fixed)
    return (
        f"the {phase.name} phase needs at least {phase.fixed / GIB:.0f} GiB per GPU, which has "
        f"{sizes.capacity / GIB:.0f}: {parts}"
    )


def _cure(run: Setup) -> str:
    cure = cures.cheapest(run)
    return f"cheapest that fits by the same estimate: {cure}" if cure else "take a smaller model"
