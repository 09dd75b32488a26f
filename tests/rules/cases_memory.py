# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on GPU memory."""

from rule_specs import GOOD, Case, Sound

BIG = (
    GOOD.replace("0.5B", "7B")
    .replace("prompts_per_step: 8", "prompts_per_step: 256")
    .replace("update: 4", "update: 64")
)
GPUS = "resources: {accelerators: H100:8}"

CASES = [
    # 16 bytes x 7,615,616,512 parameters = 121.8 GB = 113.5 GiB, on one GPU of 80.
    Case("memory.fits", "secrets:", "resources: {accelerators: H100:1}\nsecrets:", 16, "resources.accelerators", "the update phase needs at least 113 GiB per GPU, which has 80: policy weights 28, gradients 28, policy Adam states 57", "lora", BIG),
    # 2 bytes x 7.6 billion = 14.2 GiB in 0.15 x 80 = 12 GiB.
    Case("memory.fits", "secrets:", f"rollout: {{gpu_memory: 0.15}}\n{GPUS}\nsecrets:", 16, "rollout.gpu_memory", "0.15 of 80 GiB = 12 GiB per GPU; its weights alone need 14 GiB", "rollout.tensor_parallel: 2", BIG),
    Case("memory.tight", "secrets:", f"rollout: {{gpu_memory: 0.9}}\n{GPUS}\nsecrets:", 17, "resources.accelerators", "the rollout phase may need 86 of 80 GiB per GPU", "rollout.gpu_memory: 0.5", BIG),
    Case("memory.tight", "evaluate_every: 1", "evaluate_every: 1\n  samples_per_device: 32\n  gradient_checkpointing: false", 18, "resources.accelerators", "for activations", "training.samples_per_device: 2", f"{BIG.replace('secrets:', f'{GPUS}{chr(10)}secrets:')}"),
]  # fmt: skip

SOUND = [
    Sound("memory.fits", "secrets:", f"{GPUS}\nsecrets:", BIG),
    Sound("memory.tight", "secrets:", f"{GPUS}\nsecrets:", BIG),
    Sound("memory.fits", "secrets:", "resources: {accelerators: Gaudi2:1}\nsecrets:", BIG),
    Sound("memory.fits", "secrets:", "resources: {accelerators: H100:1}\noverrides: {actor_rollout_ref.actor.strategy: megatron}\nsecrets:", BIG),
    Sound("memory.fits", "secrets:", "resources: {accelerators: H100:1}\noverrides: {actor_rollout_ref: {actor: {fsdp_config: {model_dtype: bfloat16}}}}\nsecrets:", BIG),
]  # fmt: skip
