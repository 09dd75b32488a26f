"""How closely a run can be repeated at best, known before it is run.

verl 0.9.1: the vLLM engine draws random numbers in the order in which requests arrive, so sampled
answers differ between two runs of one seed (rollout.full_determinism gives every request the same
seed, which makes the answers of a group equal and leaves GRPO nothing to learn from). Supervised
training on a CPU with full determinism was bitwise the same in two runs.
"""

from __future__ import annotations

from typing import Literal

from runner.spec.experiment import Experiment

Best = Literal["bitwise", "statistical", "curve"]


def best_verdict(spec: Experiment) -> tuple[Best, str]:
    """Return the strictest verdict that a repeat of `spec` can reach, and why no stricter one."""
    if spec.pin.name == "script":
        return "bitwise", "Whether the script draws the same numbers again is its own affair."
    if spec.algorithm is not None and spec.algorithm.terms().stage == "rl":
        return (
            "statistical",
            "Bitwise is out: verl samples answers asynchronously, in the order of arrival.",
        )
    if spec.overrides.get("engine.full_determinism") is True:
        return "bitwise", "Deterministic kernels are on and the order of rows comes from the seed."
    return (
        "curve",
        "Bitwise needs deterministic kernels: overrides: {engine.full_determinism: true}",
    )
