"""How closely a run can be repeated at best, known before it is run.

verl 0.9.1: the engine draws random numbers in the order in which requests arrive, so sampled
answers differ between two runs of one seed. Its determinism mode (docs/advance/determinism) wants
the settings in `VERL_MODE` together, one turn per conversation, and no groups: every request then
gets the same seed, which makes the answers of a group equal (measured: one distinct answer of
four). Supervised training on a CPU with full determinism was bitwise the same in two runs
(measured). SkyRL's engines are asynchronous too. TRL runs transformers' own Trainer.
"""

from __future__ import annotations

from typing import Any, Literal

from runner.algorithms.base import Terms
from runner.rules.raw import raw_keys
from runner.spec.experiment import Experiment

Best = Literal["bitwise", "statistical", "curve"]

VERL_MODE: dict[str, Any] = {
    "actor_rollout_ref.rollout.full_determinism": True,
    "actor_rollout_ref.actor.fsdp_config.full_determinism": True,
    "trainer.use_v1": False,
}
"""What has to be set for verl's reinforcement learning to repeat itself."""

KERNELS = {"verl": "engine.full_determinism", "trl": "full_determinism"}
"""Keys for deterministic kernels in training that samples nothing."""

Verdict = tuple[Best, str]


def best_verdict(spec: Experiment) -> Verdict:
    """Return the strictest verdict that a repeat of `spec` can reach, and why no stricter one."""
    if spec.pin.name == "script" or spec.algorithm is None:
        return "bitwise", "Whether the script draws the same numbers again is its own affair."
    if spec.algorithm.terms().stage == "rl":
        return _of_sampling(spec, spec.algorithm.terms())
    return _of_kernels(spec, "The order of rows comes from the seed")


def _of_kernels(spec: Experiment, order: str) -> Verdict:
    """Return the verdict of a run in which only kernels can differ; `order` says why."""
    key = KERNELS.get(spec.pin.name)
    if key is None:
        return "curve", f"{spec.pin.name} has no setting for deterministic kernels."
    if _said(spec, key) is True:
        return "bitwise", f"{order}, and deterministic kernels are on."
    return "curve", f"Bitwise needs deterministic kernels: overrides: {{{key}: true}}"


def _of_sampling(spec: Experiment, terms: Terms) -> Verdict:
    """Return the verdict of a run that samples answers."""
    if spec.pin.name == "trl" and not spec.resources.gpus_per_node:
        return _of_kernels(spec, "Answers are drawn by torch's own generator, seeded")
    if spec.pin.name != "verl":
        return _statistical(f"{spec.pin.name} samples answers with an engine of its own order.")
    if terms.group_size > 1:
        return _statistical(
            "verl samples answers asynchronously, in the order of arrival, and its determinism "
            f"mode would make the {terms.group_size} answers of a group equal."
        )
    if spec.rollout.multi_turn:
        return _statistical(
            "verl's determinism mode covers one turn, and rollout.multi_turn asks for several."
        )
    # ReMax runs on the V0 trainer already: see runner/trainers/verl_algorithm.py.
    known = {"trainer.use_v1": False} if terms.advantage == "remax" else {}
    missing = next(
        (key for key, value in VERL_MODE.items() if known.get(key, _said(spec, key)) != value), None
    )
    if missing:
        wanted = str(VERL_MODE[missing]).lower()
        return _statistical(
            "verl samples answers asynchronously, in the order of arrival; its determinism mode "
            f"lacks overrides: {{{missing}: {wanted}}}"
        )
    return "bitwise", "verl's determinism mode is on (documented by verl, not tried here)."


def _statistical(reason: str) -> Verdict:
    return "statistical", f"Bitwise is out: {reason}"


def _said(spec: Experiment, key: str) -> Any:
    said = raw_keys(spec).get(key)
    return said.value if said else None
