# ruff: noqa: E501 - a table reads better in long lines
"""Cases of the rules on the arithmetic of batches and of parallel devices."""

from rule_specs import GOOD, Case, Sound

GPUS = GOOD.replace("data: {train", "resources: {accelerators: H100:8}\ndata: {train").replace(
    "prompts_per_step: 8\n  prompts_per_update: 4", "prompts_per_step: 64\n  prompts_per_update: 32"
)
"""8 accelerators; a step of 64 x 4 samples, an update of 32 x 4."""
PAIRS = """\
apiVersion: rollbook/v1
trainer: trl==1.16.0
model: {path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32}
algorithm: {name: dpo}
data: {train: data/a.jsonl}
resources: {accelerators: H100:4}
training: {steps: 2, prompts_per_step: 8, samples_per_device: 2, learning_rate: 1.0e-6}
"""
SKYRL = GPUS.replace("verl==0.9.1", "skyrl==0.3.0")

CASES = [
    Case("batch.samples", "  prompts_per_update: 32\n", "  prompts_per_update: 32\n  sequence_parallel: 8\n  samples_per_device: 3\n",
         13, "training.samples_per_device", "a device's 256 samples do not divide into passes of 3", "2 or 4", GPUS),
    Case("batch.devices", "prompts_per_update: 32", "prompts_per_update: 1\n  sequence_parallel: 1", 11, "training.prompts_per_update",
         "1 x 4 = 4 samples do not divide over 8 devices", "a multiple of 8", GPUS),
    Case("batch.devices", "H100:8}", "H100:8, nodes: 3}", 10, "training.prompts_per_step", "64 x 4 = 256 samples do not divide over 24 devices", "multiple of 24", GPUS),
    Case("batch.devices", "H100:8}", "H100:8, nodes: 3}", 10, "training.prompts_per_step", "over 24 devices", "multiple of 24", SKYRL),
    Case("batch.devices", "prompts_per_update: 32", "prompts_per_update: 1\n  sequence_parallel: 1", 11, "training.prompts_per_update", "4 samples do not divide", "multiple of 8", SKYRL),
    Case("batch.devices", "prompts_per_step: 64\n  prompts_per_update: 32", "prompts_per_step: 3\n  sequence_parallel: 2", 10, "training.prompts_per_step",
         "3 x 4 = 12 samples do not divide over 8 groups of 2 devices", "multiple of 8", GPUS.replace("H100:8}", "H100:8, nodes: 2}")),
    Case("batch.samples", "samples_per_device: 2", "samples_per_device: 3", 7, "training.samples_per_device", "2 samples do not divide into passes of 3", "2 or 1", PAIRS),
    Case("batch.samples", "  prompts_per_update: 32\n", "  prompts_per_update: 32\n  samples_per_device: 5\n", 12, "training.samples_per_device",
         "32 samples do not divide into passes of 5", "4 or 2", SKYRL),
    Case("batch.samples", "  prompts_per_update: 32\n", "  prompts_per_update: 32\n  samples_per_device: 32\n", 12, "training.samples_per_device",
         "a device's 16 samples do not divide into passes of 32", "16 or 8", GPUS),
    Case("batch.tokens", "  prompts_per_update: 32\n", "  tokens_per_device: 4096\n  samples_per_device: 4\n", 11, "training.tokens_per_device",
         "cut by tokens (4096) or by samples (4), not by both", "delete one", GPUS),
    Case("batch.tokens", "  prompts_per_update: 32\n", "  tokens_per_device: 2047\n", 11, "training.tokens_per_device",
         "2047 tokens have no room for a prompt and answer of 2048", "2048 or more", GPUS),
    Case("batch.tokens", "  prompts_per_update: 32\n", "  tokens_per_device: 1000\n  sequence_parallel: 2\n", 11, "training.tokens_per_device",
         "1000 x 2 = 2000 tokens have no room", "tokens_per_device: 1024 or more", GPUS),
    Case("parallel.sequence", "  prompts_per_update: 32\n", "  sequence_parallel: 3\n", 11, "training.sequence_parallel",
         "8 devices do not divide into groups of 3", "a divisor of 8", GPUS),
    Case("parallel.sequence", "  prompts_per_update: 4\n", "  sequence_parallel: 2\n", 10, "training.sequence_parallel",
         "2 devices share a sequence, and there is no accelerator", "resources.accelerators"),
    Case("parallel.tensor", "training:\n", "rollout: {tensor_parallel: 3}\ntraining:\n", 8, "rollout.tensor_parallel",
         "a node's 8 accelerators do not divide into engines of 3", "a divisor of 8", GPUS),
    Case("parallel.tensor", "training:\n", "rollout: {tensor_parallel: 16}\ntraining:\n", 8, "rollout.tensor_parallel",
         "an engine takes 16 accelerators, a node has 8", "tensor_parallel: 8 or a divisor", GPUS),
    Case("parallel.tensor", "training:\n", "rollout: {tensor_parallel: 16}\ntraining:\n", 8, "rollout.tensor_parallel",
         "a node has 8 and the run 16", "tensor_parallel: 8", SKYRL.replace("H100:8}", "H100:8, nodes: 2}")),
    Case("parallel.tensor", "training:\n", "rollout: {tensor_parallel: 2}\ntraining:\n", 7, "rollout.tensor_parallel",
         "an engine takes 2 accelerators, a node has 1", "tensor_parallel: 1"),
]  # fmt: skip

SOUND = [
    Sound("batch.devices", "  prompts_per_update: 32\n", "  prompts_per_update: 2\n", GPUS),
    Sound("batch.devices", "  prompts_per_update: 32\n", "  prompts_per_update: 1\n  sequence_parallel: 2\n", GPUS),
    Sound("batch.devices", "prompts_per_step: 8", "prompts_per_step: 4", PAIRS),
    Sound("batch.samples", "  prompts_per_update: 32\n", "  prompts_per_update: 32\n  samples_per_device: 16\n", GPUS),
    Sound("batch.samples", "samples_per_device: 2", "samples_per_device: 1", PAIRS),
    Sound("batch.tokens", "  prompts_per_update: 32\n", "  tokens_per_device: 2048\n", GPUS),
    Sound("batch.tokens", "  prompts_per_update: 32\n", "  tokens_per_device: 1024\n  sequence_parallel: 2\n", GPUS),
    Sound("parallel.sequence", "  prompts_per_update: 32\n", "  sequence_parallel: 4\n", GPUS),
    Sound("parallel.sequence", "  prompts_per_update: 4\n", "  sequence_parallel: 1\n"),
    Sound("parallel.tensor", "training:\n", "rollout: {tensor_parallel: 8}\ntraining:\n", GPUS),
    Sound("parallel.tensor", "training:\n", "rollout: {tensor_parallel: 16}\ntraining:\n", GPUS.replace("H100:8}", "H100:8, nodes: 2}")),
    Sound("parallel.tensor", "resources:", "rollout: {tensor_parallel: 8}\nresources:", PAIRS),
]  # fmt: skip
