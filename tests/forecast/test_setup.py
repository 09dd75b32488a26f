"""What of a spec decides memory and time: fields, raw keys however they are nested, defaults."""

from typing import Any

import pytest
from planned_registry import SPEC
from setups import make

from runner.forecast.setup import Setup, has_memory_model, setup
from runner.spec.expand import expand
from runner.spec.experiment import Experiment
from runner.spec.yaml import parse

SMALL = make("Qwen/Qwen2.5-0.5B", "H100", 8).architecture
GPUS = "resources: {accelerators: H100:4, nodes: 2}\n"
FSDP = "actor_rollout_ref.actor.fsdp_config"
ROLLOUT = "actor_rollout_ref.rollout"


def spec(lines: str = "", training: str = "") -> Experiment:
    text = SPEC.replace("prompts_per_step: 8", f"prompts_per_step: 64{training}")
    (run, *_) = expand("x", parse((text + GPUS + lines).encode(), "x.yaml").root, None)
    return run.run.spec


def of(lines: str = "", training: str = "") -> Setup:
    found = setup(spec(lines, training), SMALL)
    assert found is not None
    return found


def test_a_spec_with_the_least():
    run = of()
    assert (run.devices, run.gpus_per_node, run.shards, run.stage) == (8, 4, 8, "rl")
    assert (run.prompts_per_step, run.group_size, run.samples) == (64, 4, 256)
    assert (run.prompt_tokens, run.response_tokens, run.sequence) == (1024, 1024, 2048)
    assert (run.weight_bytes, run.compute_bytes, run.recompute) == (4, 2, True)
    assert (run.pass_tokens, run.packed) == (16384, True)
    assert (run.engine_parallel, run.engine_share, run.engine_graphs) == (1, 0.6, True)
    assert {run.offload_weights, run.offload_states, run.states_on_host} == {False}
    assert run.lora_rank == 0


@pytest.mark.parametrize(
    ("training", "tokens", "packed"),
    [
        (", samples_per_device: 4", 4 * 2048, False),
        (", samples_per_device: 4, sequence_parallel: 2", 2 * 2048, False),
        (", tokens_per_device: 6000", 6000, True),
        (", prompts_per_update: 4", 2 * 2048, True),  # no more than an update has
        (", tokens_per_device: 99999, prompts_per_update: 4", 2 * 2048, True),
    ],
)
def test_tokens_of_a_pass(training, tokens, packed):
    run = of(training=training)
    assert (run.pass_tokens, run.packed) == (tokens, packed)


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        (f"overrides: {{{FSDP}.model_dtype: bfloat16}}", "weight_bytes", 2),
        (f"overrides: {{{FSDP}: {{model_dtype: bf16}}}}", "weight_bytes", 2),
        ("overrides: {actor_rollout_ref: {actor.fsdp_config.fsdp_size: 2}}", "shards", 2),
        ("overrides: {actor_rollout_ref.actor: {fsdp_config.fsdp_size: 4}}", "shards", 4),
        (f"overrides: {{{FSDP}.fsdp_size: 64}}", "shards", 8),
        (f"overrides: {{+{FSDP}.offload_policy: true}}", "states_on_host", True),
        (f"overrides: {{{FSDP}.param_offload: true}}", "offload_weights", True),
        ("overrides: {actor_rollout_ref.rollout.enforce_eager: true}", "engine_graphs", False),
        (f"overrides: {{{ROLLOUT}.quantization: fp8}}", "engine_bytes", 1),
        (f"overrides: {{{ROLLOUT}.expert_parallel_size: 8}}", "engine_parallel", 8),
        ("overrides: {actor_rollout_ref.model.use_fused_kernels: true}", "fused_logits", True),
        ("rollout: {tensor_parallel: 4, gpu_memory: 0.4}", "engine_parallel", 4),
    ],
)  # fmt: skip
def test_fields_and_raw_keys_count_alike(lines: str, field: str, value: Any):
    assert getattr(of(f"{lines}\n"), field) == value


@pytest.mark.parametrize(
    ("training", "field", "value"),
    [
        (", offload: {parameters: true}", "offload_weights", True),
        (", offload: {optimizer: true}", "offload_states", True),
        (", gradient_checkpointing: false", "recompute", False),
        (", lora: {rank: 16, alpha: 32}", "lora_rank", 16),
        (", precision: fp32", "compute_bytes", 4),
    ],
)
def test_training_says_what_saves_memory(training: str, field: str, value: Any):
    assert getattr(of(training=training), field) == value


def test_supervised_training_reads_its_own_engine():
    text = SPEC.replace("{name: grpo, group_size: 4}", "{name: sft}")
    text = text.replace("reward: reward/sums.py:score\n", "") + GPUS
    text += f"overrides: {{engine.model_dtype: bf16, {FSDP}.fsdp_size: 2}}\n"
    (run, *_) = expand("x", parse(text.encode(), "x.yaml").root, None)
    found = setup(run.run.spec, SMALL)
    assert found is not None
    assert (found.stage, found.weight_bytes, found.shards) == ("sft", 2, 8)
    assert (found.pass_tokens, found.packed) == (2048, False)  # a row on each of 8 devices


@pytest.mark.parametrize("gpus", ["", "resources: {accelerators: TPU-v6e:8}\n"])
def test_without_a_known_accelerator_there_is_no_setup(gpus):
    (run, *_) = expand("x", parse((SPEC + gpus).encode(), "x.yaml").root, None)
    assert setup(run.run.spec, SMALL) is None


def test_memory_is_modelled_for_verl_with_fsdp_alone():
    assert has_memory_model(spec())
    assert has_memory_model(spec("overrides: {actor_rollout_ref.actor.strategy: fsdp2}\n"))
    assert not has_memory_model(spec("overrides: {actor_rollout_ref.actor.strategy: megatron}\n"))
    assert not has_memory_model(spec("overrides: {model_engine: megatron}\n"))
    assert not has_memory_model(spec("overrides: {trainer.v1.trainer_mode: separate_async}\n"))
    assert not has_memory_model(spec(f"overrides: {{{ROLLOUT}.nnodes: 1}}\n"))
    assert not has_memory_model(spec().model_copy(update={"trainer": "trl==1.16.0"}))
