"""Generated registries to measure on: every fifth spec extends a base, each with its own values."""

from __future__ import annotations

from pathlib import Path

SPEC = """\
apiVersion: rollbook/v1
description: experiment number {number}
hypothesis: The reward rises.
trainer: verl==0.9.1
model:
  path: Qwen/Qwen2.5-0.5B-Instruct
  revision: 7ae557604adf67be50417f59c2c2f167def9a775
algorithm: {{name: grpo, group_size: 8, kl: {{in: loss, coefficient: 0.001}}}}
data:
  train: data/train.jsonl
  val: {{gsm8k: data/val.jsonl}}
  max_prompt_tokens: 512
  max_response_tokens: 1024
reward: reward/sums.py:score
training:
  epochs: 15
  prompts_per_step: 1024
  prompts_per_update: 256
  learning_rate: 1.0e-6
  save_every: 20
  evaluate_every: 5
rollout: {{tensor_parallel: 2, gpu_memory: 0.6}}
resources: {{accelerators: H100:8, max_duration: 8h}}
seeds: [{number}]
expect:
  - val/gsm8k/accuracy: last >= 0.5
overrides:
  actor_rollout_ref.actor.grad_clip: 0.5
  actor_rollout_ref.rollout.enable_chunked_prefill: true
"""
DERIVED = """\
extends: bases/gsm8k
description: experiment number {number}
training: {{learning_rate: {rate:.1e}}}
seeds: [{number}]
"""
POINTER = "outs:\n- md5: {digest}\n  hash: md5\n  path: {name}\n"
FILES = {
    "registry.yaml": f"apiVersion: rollbook/v1\nlineage: '{'0' * 32}'\n",
    "reward/sums.py": "def score(data_source, solution_str, ground_truth):\n    return 1.0\n",
    "data/train.jsonl.dvc": POINTER.format(digest="a" * 32, name="train.jsonl"),
    "data/val.jsonl.dvc": POINTER.format(digest="b" * 32, name="val.jsonl"),
    "experiments/bases/gsm8k.yaml": SPEC.format(number=0),
}


def write_registry(root: Path, specs: int) -> None:
    """Write a registry with so many specs below `root`, 200 to a folder."""
    for path, text in FILES.items():
        _write(root / path, text)
    for number in range(specs):
        text = DERIVED if number % 5 == 4 else SPEC
        rate = 1e-6 * (1 + number % 7)
        path = root / "experiments" / f"f{number // 200:03d}" / f"x{number:06d}.yaml"
        _write(path, text.format(number=number, rate=rate))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
