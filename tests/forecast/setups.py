"""Setups of runs, by the numbers that a published script says."""

from typing import Any

from runner.forecast import gpus
from runner.forecast.setup import Setup
from runner.models import table


def make(model: str, gpu: str, devices: int, **changes: Any) -> Setup:
    """Return a GRPO run of verl with its defaults on `devices` GPUs, 8 to a node."""
    row, card = table.row(model), gpus.GPUS[gpu]
    assert row is not None
    values: dict[str, Any] = {
        "architecture": row.architecture, "gpu": card, "devices": devices,
        "gpus_per_node": min(8, devices), "stage": "rl", "prompts_per_step": 1024,
        "group_size": 5, "prompt_tokens": 512, "response_tokens": 1024, "pass_tokens": 16384,
        "packed": True, "shards": devices, "weight_bytes": 4, "compute_bytes": 2,
        "engine_bytes": 2, "fused_logits": False, "critic_tokens": 16384, "recompute": True,
        "offload_weights": False, "offload_states": False, "states_on_host": False,
        "lora_rank": 0, "has_critic": False, "has_reference": True, "engine_parallel": 1,
        "engine_share": 0.6, "engine_graphs": True,
    }  # fmt: skip
    return Setup(**{**values, **changes})


OFFLOADED = {"offload_weights": True, "offload_states": True}
ADAPTERS = {"lora_rank": 32, **OFFLOADED}


def passes(samples: int, sequence: int, **changes: Any) -> dict[str, Any]:
    """Return passes of `samples` sequences, each as long as allowed."""
    return {"pass_tokens": samples * sequence, "packed": False, **changes}
