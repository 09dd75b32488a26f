"""What of a spec decides how much memory and time it takes, in plain numbers.

Memory is modelled for verl 0.9.1 with its default engine, FSDP: one process per GPU, weights,
gradients and optimizer states sharded over all of them, policy and rollout engine taking turns on
the same GPUs. Of other trainers and engines (`has_memory_model`) time alone is said: no number is
better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.forecast import gpus
from runner.forecast.gpus import Gpu
from runner.models.architecture import Architecture
from runner.spec.experiment import Data, Experiment

ACTOR = "actor_rollout_ref.actor"
ROLLOUT = "actor_rollout_ref.rollout"
DYNAMIC_TOKENS = 16384
"""Tokens of one pass where verl packs answers and nothing says how many (actor.yaml)."""
CRITIC_TOKENS = 32768
"""The same of its critic (critic.yaml)."""
FSDP_STRATEGIES = frozenset({"fsdp", "fsdp2"})
_TRUE = (True, "True", "true")


class Setup(NamedTuple):
    """The numbers of one run."""

    architecture: Architecture
    gpu: Gpu
    devices: int
    gpus_per_node: int
    stage: str
    """sft, rl or preference."""
    prompts_per_step: int
    group_size: int
    prompt_tokens: int
    """Longest prompt."""
    response_tokens: int
    """Longest answer."""
    pass_tokens: int
    """Most tokens of one forward and backward pass on one device."""
    packed: bool
    """Whether passes are filled up to that many tokens (dynamic batches)."""
    shards: int
    """Devices that weights and states are split over."""
    weight_bytes: int
    """Bytes of a weight while training: 4 (fp32 masters) or 2."""
    compute_bytes: int
    """Bytes of a number that is computed with: 2 (bf16) or 4."""
    recompute: bool
    """Gradient checkpointing."""
    offload_weights: bool
    offload_states: bool
    states_on_host: bool
    """FSDP2's CPU offload: weights, gradients and states never rest on the GPU."""
    lora_rank: int
    has_critic: bool
    critic_tokens: int
    """Most tokens of one pass of the critic."""
    has_reference: bool
    engine_parallel: int
    """GPUs that an engine's weights are split over: by tensors, or by experts."""
    engine_bytes: int
    """Bytes of a weight in the rollout engine."""
    engine_share: float
    engine_graphs: bool
    fused_logits: bool
    """Whether log-probabilities are computed without holding the logits."""

    @property
    def sequence(self) -> int:
        """Longest prompt and answer together."""
        return self.prompt_tokens + self.response_tokens

    @property
    def samples(self) -> int:
        """Sequences of one step: answers, rows, or both answers of a pair."""
        pair = 2 if self.stage == "preference" else 1
        return self.prompts_per_step * self.group_size * pair


def setup(spec: Experiment, architecture: Architecture) -> Setup | None:
    """Return the numbers of `spec`; None on a CPU, on an unknown accelerator, of a script."""
    gpu = gpus.find(spec.resources.accelerators)
    if gpu is None or spec.data is None or spec.algorithm is None:
        return None
    terms, training = spec.algorithm.terms(), spec.training
    offload = training.offload
    raw = _raw(spec, terms.stage)
    devices = spec.resources.devices
    size = raw.get("fsdp_size", -1)
    tokens, packed = _pass_tokens(spec, spec.data, terms.group_size, terms.stage)
    return Setup(
        architecture=architecture,
        gpu=gpu,
        devices=devices,
        gpus_per_node=spec.resources.gpus_per_node,
        stage=terms.stage,
        prompts_per_step=training.prompts_per_step,
        group_size=terms.group_size,
        prompt_tokens=spec.data.max_prompt_tokens,
        response_tokens=spec.data.max_response_tokens,
        pass_tokens=tokens,
        packed=packed,
        shards=size if isinstance(size, int) and 0 < size <= devices else devices,
        weight_bytes=2 if str(raw.get("model_dtype", "fp32")) in ("bf16", "bfloat16") else 4,
        compute_bytes=4 if training.precision == "fp32" else 2,
        recompute=training.gradient_checkpointing is not False,
        offload_weights=bool(offload and offload.parameters) or raw.get("param_offload") in _TRUE,
        offload_states=bool(offload and offload.optimizer) or raw.get("optimizer_offload") in _TRUE,
        states_on_host=raw.get("offload_policy") in _TRUE,
        lora_rank=training.lora.rank if training.lora else 0,
        has_critic=terms.advantage == "gae",
        critic_tokens=_pass_tokens(spec, spec.data, terms.group_size, terms.stage, CRITIC_TOKENS)[
            0
        ],
        has_reference=terms.needs_reference,
        engine_parallel=max(spec.rollout.tensor_parallel, _experts_apart(spec)),
        engine_bytes=_engine_bytes(spec),
        engine_share=spec.rollout.gpu_memory,
        engine_graphs=_override(spec, f"{ROLLOUT}.enforce_eager") not in _TRUE,
        fused_logits=_override(spec, "actor_rollout_ref.model.use_fused_kernels") in _TRUE,
    )


def has_memory_model(spec: Experiment) -> bool:
    """Whether the trainer and its engine are those whose memory is modelled."""
    engine = _override(spec, f"{ACTOR}.strategy")
    other = _override(spec, "model_engine") or _override(spec, "engine")
    known = engine is None or engine in FSDP_STRATEGIES
    mode = _override(spec, "trainer.v1.trainer_mode")
    apart = mode == "separate_async" or bool(_override(spec, f"{ROLLOUT}.nnodes"))
    return spec.pin.name == "verl" and known and not apart and not isinstance(other, str)


def _experts_apart(spec: Experiment) -> int:
    """Return over how many GPUs an engine spreads its experts."""
    parallel = _override(spec, f"{ROLLOUT}.expert_parallel_size")
    return parallel if isinstance(parallel, int) else 1


def _engine_bytes(spec: Experiment) -> int:
    if _override(spec, f"{ROLLOUT}.quantization"):
        return 1
    return 4 if spec.training.precision == "fp32" else 2


def _pass_tokens(
    spec: Experiment, data: Data, group: int, stage: str, dynamic: int = DYNAMIC_TOKENS
) -> tuple[int, bool]:
    """Return the tokens of one pass on one device, and whether passes are packed up to that."""
    training, devices = spec.training, spec.resources.devices
    longest = data.max_prompt_tokens + data.max_response_tokens
    update = (training.prompts_per_update or training.prompts_per_step) * group
    # An update's samples on one device are the most that a pass can hold.
    most = max(1, update // devices) * longest
    parallel = training.sequence_parallel or 1
    if training.tokens_per_device:
        return min(training.tokens_per_device, most * parallel), True
    if training.samples_per_device:
        return -(-training.samples_per_device * longest // parallel), False
    if stage == "sft":
        return most, False
    return min(max(dynamic, longest), most * parallel), True


def _raw(spec: Experiment, stage: str) -> Mapping[str, Any]:
    """Return the overrides of the policy's FSDP engine by their last name."""
    prefix = "engine." if stage == "sft" else f"{ACTOR}.fsdp_config."
    names = ("fsdp_size", "model_dtype", "param_offload", "optimizer_offload", "offload_policy")
    found = {name: _override(spec, f"{prefix}{name}") for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _override(spec: Experiment, key: str) -> Any:
    """Return the override of a dotted `key`, however it is nested; None without one."""
    if not spec.overrides:
        return None
    return _nested(spec.overrides, key)


def _nested(tree: Mapping[str, Any], key: str) -> Any:
    for start in (key, f"+{key}", f"++{key}"):
        if start in tree:
            return tree[start]
    for head, branch in tree.items():
        if isinstance(branch, Mapping) and key.startswith(f"{head}."):
            found = _nested(branch, key[len(head) + 1 :])
            if found is not None:
                return found
    return None
