"""Lets verl 0.9.1 export a model that was trained with low-rank adapters.

verl writes the weights as PEFT names them, base and adapters apart, into a folder that says it is a
model of the base's architecture: nothing can load it. Here the adapters are merged first. verl
imports this module where it makes a model (`model.external_lib`); its sharded checkpoint, from
which training continues, stays as it is. Paths are of verl's wheel.
"""

from typing import Any

from verl.utils.checkpoint import fsdp_checkpoint_manager

PREFIX = "base_model.model."
BASE = ".base_layer.weight"

full_state_dict = fsdp_checkpoint_manager.get_fsdp_full_state_dict


def merged(weights: dict[str, Any], scale: float) -> dict[str, Any]:
    """Return `weights` under the base model's names, with `scale` B A added where there is both.

    `weights` are the tensors of a model wrapped by PEFT with one adapter, `default`.
    """
    result = {}
    for name, weight in weights.items():
        if ".lora_" in name:
            continue
        layer = name.removesuffix(BASE)
        down = weights.get(f"{layer}.lora_A.default.weight") if layer != name else None
        if down is not None:
            up = weights[f"{layer}.lora_B.default.weight"]
            weight = weight + scale * (up.to(weight.dtype) @ down.to(weight.dtype))
        result[name.removeprefix(PREFIX).replace(".base_layer.", ".")] = weight
    return result


def merged_state_dict(model: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the model's weights as verl gathers them, adapters merged; empty but on one rank."""
    weights: dict[str, Any] = full_state_dict(model, *args, **kwargs)
    # FSDP1 wraps the model in one of its own, FSDP2 does not.
    adapters = getattr(getattr(model, "_fsdp_wrapped_module", model), "peft_config", None)
    if not adapters:
        return weights
    config = adapters["default"]
    return merged(weights, config.lora_alpha / config.r)


# Called for the export alone (utils/checkpoint/fsdp_checkpoint_manager.py, save_checkpoint).
fsdp_checkpoint_manager.get_fsdp_full_state_dict = merged_state_dict
