# ruff: noqa: E501 - a table reads better in long lines
"""Memory: the terms by hand, published configurations that run, reports of those that did not."""

import pytest
from setups import ADAPTERS, OFFLOADED, make, passes

from runner.forecast.memory import GIB, Estimate, estimate

RUNS = {
    # docs/perf/device_tuning.rst of verl, and the scripts below examples/tuning that it names.
    # H800 and H20 have the memory of an H100 or more.
    "7B, 2 H800": make("Qwen/Qwen2.5-7B", "H100", 2, engine_parallel=2, **passes(16, 2048, **OFFLOADED)),
    "14B, 4 H800": make("Qwen/Qwen2.5-14B", "H100", 4, engine_parallel=4, engine_share=0.5, **passes(16, 2048, **OFFLOADED)),
    "72B, 32 H800": make("Qwen/Qwen2.5-72B", "H100", 32, engine_parallel=16, pass_tokens=24000, **OFFLOADED),
    "0.5B adapters, 1 H100": make("Qwen/Qwen2.5-0.5B", "H100", 1, engine_share=0.2, **ADAPTERS),
    "3B adapters, 1 H100": make("Qwen/Qwen2.5-3B", "H100", 1, engine_share=0.2, **ADAPTERS),
    "7B adapters, 1 H100": make("Qwen/Qwen2.5-7B", "H100", 1, engine_share=0.2, **passes(16, 1536, **ADAPTERS)),
    "14B adapters, 2 H100": make("Qwen/Qwen2.5-14B", "H100", 2, engine_parallel=2, engine_share=0.25, **ADAPTERS),
    "32B adapters, 4 H100": make("Qwen/Qwen2.5-32B", "H100", 4, engine_parallel=4, engine_share=0.3, **ADAPTERS),
    "72B adapters, 8 H100": make("Qwen/Qwen2.5-72B", "H100", 8, engine_parallel=8, engine_share=0.4, **ADAPTERS),
    # verl examples/grpo_trainer: run_qwen2_5_32b_fsdp.sh, run_qwen2-7b_math.sh.
    "32B, 16 GPUs": make("Qwen/Qwen2.5-32B", "H100", 16, engine_parallel=8, engine_share=0.4, **passes(2, 2048)),
    "7B, 4 GPUs": make("Qwen/Qwen2.5-7B", "H100", 4, engine_parallel=2, **passes(8, 1024)),
    # skypilot-org/skypilot llm/verl/verl-grpo.yaml: bf16 weights and states.
    "7B bf16, 1 H100": make("Qwen/Qwen2.5-7B", "H100", 1, weight_bytes=2, engine_share=0.4, has_reference=False, **passes(4, 512, **OFFLOADED)),
    # Two nodes of one H100 each, as verl's SkyPilot examples.
    "7B, 2 x 1 H100": make("Qwen/Qwen2.5-7B", "H100", 2, gpus_per_node=1, engine_share=0.4, has_reference=False, **passes(4, 512, **OFFLOADED)),
    "0.5B and critic, 2 x 1 H100": make("Qwen/Qwen2.5-0.5B", "H100", 2, gpus_per_node=1, has_critic=True, engine_share=0.4, **passes(4, 768)),
    # README of hiyouga/EasyR1, a fork of verl (its own estimates): fp32 masters, then bf16.
    "1.5B, 2 x 24 GB": make("Qwen/Qwen2.5-1.5B", "A10", 2, **OFFLOADED),
    "3B, 4 x 40 GB": make("Qwen/Qwen2.5-3B", "A100", 4, **OFFLOADED),
    "7B, 8 x 40 GB": make("Qwen/Qwen2.5-7B", "A100", 8, **OFFLOADED),
    "32B, 16 x 80 GB": make("Qwen/Qwen2.5-32B", "A100-80GB", 16, engine_parallel=4, **OFFLOADED),
    "1.5B bf16, 24 GB": make("Qwen/Qwen2.5-1.5B", "A10", 1, weight_bytes=2, **OFFLOADED),
    "7B bf16, 4 x 40 GB": make("Qwen/Qwen2.5-7B", "A100", 4, weight_bytes=2, **OFFLOADED),
    "32B bf16, 8 x 80 GB": make("Qwen/Qwen2.5-32B", "A100-80GB", 8, weight_bytes=2, engine_parallel=4, **OFFLOADED),
}  # fmt: skip
"""Configurations that are published as running."""

FAILED = {
    # verl issue 1141: out of memory "regardless of how minimal" the batch, 22 GiB free on each.
    "3B and critic, 4 A10": make("meta-llama/Llama-3.2-3B", "A10", 4, engine_share=0.4, has_critic=True, **passes(1, 768)),
    # verl issue 302 (8 H100, waking the engine after the update): a share that leaves too little.
    # Which model it was is not said there.
    "7B, share 0.9": make("Qwen/Qwen2.5-7B", "H100", 8, engine_share=0.9),
    # fp32 masters and Adam on one GPU, which is why SkyPilot's recipe above says bfloat16.
    "7B, 1 H100": make("Qwen/Qwen2.5-7B", "H100", 1, engine_share=0.4, **passes(4, 512, **OFFLOADED)),
}  # fmt: skip


def terms(sizes: Estimate, phase: str) -> dict[str, float]:
    (found,) = [one for one in sizes.phases if one.name == phase]
    return {term.name: term.size for term in found.terms}


@pytest.mark.parametrize("name", RUNS)
def test_no_configuration_that_is_known_to_run_is_refused(name):
    assert not estimate(RUNS[name]).is_impossible


@pytest.mark.parametrize("name", FAILED)
def test_configurations_that_are_known_to_fail_do_not_fit(name):
    assert not estimate(FAILED[name]).fits


def test_what_cannot_fit_is_impossible_and_what_might_is_not():
    assert estimate(FAILED["7B, 1 H100"]).is_impossible
    assert not estimate(FAILED["7B, share 0.9"]).is_impossible
    assert estimate(make("Qwen/Qwen2.5-72B", "H100", 8, engine_parallel=8)).is_impossible


def test_states_by_hand():
    # 7,615,616,512 parameters, fp32, over 8 GPUs: 3.81 GB of weights, as many of gradients, twice
    # that of Adam's moments (ZeRO: 16 bytes a parameter in all).
    update = terms(estimate(make("Qwen/Qwen2.5-7B", "H100", 8)), "update")
    weights = 7_615_616_512 * 4 / 8
    assert update["policy weights"] == update["gradients"] == weights == 3_807_808_256
    assert update["policy Adam states"] == 2 * weights


def test_activations_and_logits_by_hand():
    # Qwen2.5-7B, 16384 tokens: 28 layers x 3584 x 2 bytes each; one layer in full is
    # 2 x (4 x 3584 + 2 x 3584 + 1024 + 4 x 18944) + 8 x 3584 bytes a token.
    update = terms(estimate(make("Qwen/Qwen2.5-7B", "H100", 8)), "update")
    layer = 2 * (14336 + 7168 + 1024 + 75776) + 28672
    assert update["activations"] == 16384 * (28 * 3584 * 2 + layer)
    assert update["logits"] == 16384 * 152064 * 7
    whole = terms(estimate(make("Qwen/Qwen2.5-7B", "H100", 8, recompute=False)), "update")
    assert whole["activations"] == 16384 * 28 * layer


def test_the_engine_takes_its_share_of_the_whole_gpu():
    rollout = terms(estimate(make("Qwen/Qwen2.5-7B", "H100", 8, engine_parallel=2)), "rollout")
    assert rollout["engine weights"] == 7_615_616_512
    assert rollout["engine weights"] + rollout["KV cache"] == pytest.approx(0.6 * 80 * GIB)
    assert estimate(make("Qwen/Qwen2.5-7B", "H100", 8, engine_share=0.15)).starves_engine


def test_offload_frees_the_rollout_and_not_the_update():
    plain, freed = (estimate(make("Qwen/Qwen2.5-7B", "H100", 8, **o)) for o in ({}, OFFLOADED))
    assert "policy weights" in terms(plain, "rollout")
    assert "policy weights" not in terms(freed, "rollout")
    assert terms(plain, "update") == terms(freed, "update")


def test_numbers_of_four_bytes_take_twice_the_room():
    half, full = (
        estimate(make("Qwen/Qwen2.5-0.5B", "H100", 1, compute_bytes=size, engine_bytes=size))
        for size in (2, 4)
    )
    assert full.engine_weights == 2 * half.engine_weights == 4 * 494_032_768
    assert terms(full, "update")["activations"] > 1.8 * terms(half, "update")["activations"]


def test_states_on_the_host_are_not_on_the_gpu():
    sizes = estimate(make("Qwen/Qwen2.5-72B", "H100", 8, engine_parallel=8, states_on_host=True))
    assert terms(sizes, "update")["policy weights"] == 0
    assert not sizes.is_impossible


def test_adapters_have_gradients_and_states_of_their_own_size():
    update = terms(estimate(make("Qwen/Qwen2.5-0.5B", "H100", 1, **ADAPTERS)), "update")
    assert update["gradients"] == 17_596_416 * 4
    assert update["policy Adam states"] == 2 * 17_596_416 * 4
    assert update["policy weights"] == 494_032_768 * 4


def test_a_critic_is_a_second_model_that_stays():
    sizes = estimate(make("Qwen/Qwen2.5-0.5B", "H100", 2, has_critic=True))
    assert {"critic weights", "critic Adam states"} <= set(terms(sizes, "rollout"))
    critic = terms(sizes, "critic")
    assert "logits" not in critic
    wide = estimate(make("Qwen/Qwen2.5-0.5B", "H100", 2, has_critic=True, critic_tokens=32768))
    assert terms(wide, "critic")["activations"] == 2 * critic["activations"]
    assert {"critic weights", "policy weights"} <= set(critic)


def test_phases_are_those_that_the_run_has():
    names = [phase.name for phase in estimate(make("Qwen/Qwen2.5-0.5B", "H100", 2)).phases]
    assert names == ["rollout", "log-probabilities", "reference", "update"]
    supervised = estimate(make("Qwen/Qwen2.5-0.5B", "H100", 2, stage="sft"))
    assert [phase.name for phase in supervised.phases] == ["update"]
    assert supervised.engine_share == 0
