"""What saves memory, as keys of verl 0.9.1: adapters, offload, checkpointing, shared sequences.

Both of verl's trainers have the same model and engine sections under other names.
"""

from __future__ import annotations

from typing import Any

from runner.spec.training import Lora, Offload, Training

EXPORT_MODULE = "rollbook_verl_lora"
"""Module of `runner/node/inside` that merges adapters into the exported weights."""


def lora(model: str, adapters: Lora | None) -> dict[str, Any]:
    """Return the keys of low-rank adapters in the section `model`."""
    if adapters is None:
        return {}
    every = adapters.targets == ("all-linear",)
    return {
        f"{model}.lora_rank": adapters.rank,
        f"{model}.lora_alpha": adapters.alpha,
        f"{model}.target_modules": "all-linear" if every else list(adapters.targets),
        f"{model}.external_lib": EXPORT_MODULE,
    }


def checkpointing(model: str, training: Training) -> dict[str, Any]:
    """Return the key of gradient checkpointing, where the spec says something about it."""
    if training.gradient_checkpointing is None:
        return {}
    return {f"{model}.enable_gradient_checkpointing": training.gradient_checkpointing}


def offload(engine: str, rests: Offload | None) -> dict[str, Any]:
    """Return the keys of what rests in the host's memory, for a model that is trained."""
    if rests is None:
        return {}
    return {
        f"{engine}.param_offload": rests.parameters,
        f"{engine}.optimizer_offload": rests.optimizer,
    }


def sequences(section: str, model: str, training: Training) -> dict[str, Any]:
    """Return the keys of sequences shared by several devices; verl asks for packed ones."""
    if training.sequence_parallel is None:
        return {}
    keys: dict[str, Any] = {f"{section}.ulysses_sequence_parallel_size": training.sequence_parallel}
    if training.sequence_parallel > 1:
        keys[f"{model}.use_remove_padding"] = True
    return keys
