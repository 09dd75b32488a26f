"""No field of a spec is accepted in silence: it changes the command, or is objected to."""

from collections.abc import Iterator

import pytest
from rule_specs import found, tree

from runner.spec.check import load_experiments
from runner.spec.experiment import Data, Run
from runner.spec.rollout import Rollout
from runner.spec.training import Training
from runner.trainers import TRAINERS
from runner.trainers.base import Command
from runner.trainers.preview import preview_layout

BASE = """\
apiVersion: rollbook/v1
trainer: {trainer}
model: {{path: Qwen/Qwen2.5-0.5B}}
algorithm: {{name: {algorithm}}}
data: {{train: data/a.jsonl, val: {{arith: data/b.jsonl}}{data}}}
{reward}training:
  {{steps: 4, prompts_per_step: 64, learning_rate: 1.0e-6, evaluate_every: 2{training}}}
rollout: {{engine: vllm{rollout}}}
resources: {{accelerators: H100:8}}
"""
FIELDS = {
    "data": ["max_prompt_tokens: 100", "max_response_tokens: 100", "shuffle: false"],
    "training": [
        *("prompts_per_update: 32", "samples_per_device: 2", "tokens_per_device: 4096"),
        *("learning_rate_schedule: cosine", "warmup_steps: 2", "weight_decay: 0.2"),
        *("precision: fp32", "gradient_checkpointing: false", "sequence_parallel: 2"),
        *("save_every: 2", "evaluate_before_training: true", "lora: {rank: 8, alpha: 16}"),
        *(f"offload: {{{what}: true}}" for what in ("parameters", "optimizer", "reference")),
        "lora: {rank: 8, alpha: 16, targets: [q_proj]}",
    ],
    "rollout": [
        *("tensor_parallel: 2", "gpu_memory: 0.4", "temperature: 0.9", "top_p: 0.9"),
        "multi_turn: {tools: reward/sums.py, max_turns: 3}",
        "validation: {samples: 4, temperature: 0.6}",
        "validation: {top_p: 0.5, temperature: 0.6}",
    ],
}
STATED = {"train", "val", "columns", "epochs", "steps", "prompts_per_step", "learning_rate",
          "evaluate_every", "engine"}  # fmt: skip
"""Fields that every spec states, that stand for another one here, or that the node reads."""
DONE_ANYWAY = {("skyrl==0.3.0", "offload")}
"""SkyRL moves everything out of the way of its engines, which share the GPUs with training."""
RUNS = [
    *(("verl==0.9.1", name) for name in ("sft", "grpo", "ppo", "remax")),
    *(("skyrl==0.3.0", name) for name in ("grpo", "ppo")),
    *(("trl==1.16.0", name) for name in ("sft", "grpo", "dpo")),
]


def spec(trainer: str, algorithm: str, **extra: str) -> str:
    reward = "" if algorithm in ("sft", "dpo") else "reward: reward/sums.py:score\n"
    parts = {section: f", {extra[section]}" if section in extra else "" for section in FIELDS}
    return BASE.format(trainer=trainer, algorithm=algorithm, reward=reward, **parts)


def first(text: str) -> Run:
    loaded = load_experiments(tree(text))
    assert loaded.findings == ()
    return loaded.experiments[0].runs[0]


def compiled(run: Run) -> Command:
    return TRAINERS[run.spec.pin.name].compile(run, preview_layout(run.spec), 4)


def silent(trainer: str, algorithm: str) -> Iterator[str]:
    plain = first(spec(trainer, algorithm))
    refused = TRAINERS[plain.spec.pin.name].refusals
    assert refused(plain.spec) == ()
    before = compiled(plain)
    for section, field in ((one, field) for one, fields in FIELDS.items() for field in fields):
        text = spec(trainer, algorithm, **{section: field})
        run, key = first(text), f"{section}.{field.partition(':')[0]}"
        hinted = any(one.key == key and one.rule == "spec.idle" for one in found(text))
        if not (refused(run.spec) or hinted or compiled(run) != before):
            yield field


@pytest.mark.parametrize(("trainer", "algorithm"), RUNS)
def test_every_field_changes_the_command_or_is_objected_to(trainer, algorithm):
    quiet = [field for field in silent(trainer, algorithm)
             if (trainer, field.partition(":")[0]) not in DONE_ANYWAY]  # fmt: skip
    assert quiet == []


def test_every_field_is_looked_at():
    looked_at = {field.partition(":")[0] for fields in FIELDS.values() for field in fields}
    models = (Data, Training, Rollout)
    assert looked_at | STATED == {name for model in models for name in model.model_fields}
