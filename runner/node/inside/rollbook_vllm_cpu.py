"""Lets verl load new weights into vLLM's CPU backend.

vLLM calls `register` in each of its processes (entry point group `vllm.general_plugins`, see
runner/node/cpu.py).
"""

import os
from typing import Any


def register() -> None:
    """Keep linear layers reloadable, and batch-invariant kernels off."""
    import torch
    from vllm.model_executor.layers import utils

    # verl's rollout.full_determinism switches these on; they are written in Triton, for GPUs.
    os.environ["VLLM_BATCH_INVARIANT"] = "0"
    original = utils.dispatch_cpu_unquantized_gemm

    def dispatch(layer: Any, remove_weight: bool) -> None:
        """Use the weight as it is.

        The original (vllm/model_executor/layers/utils.py) packs the weight of a linear layer and
        drops the parameter with its loader; the next synchronisation then fails with "'Parameter'
        object has no attribute 'weight_loader'".
        """
        if layer.weight.is_meta or layer.weight.ndim != 2:
            original(layer, remove_weight)
        else:
            layer.cpu_linear = torch.nn.functional.linear

    utils.dispatch_cpu_unquantized_gemm = dispatch
