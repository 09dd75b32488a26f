"""Architectures: parameter counts against those that are published, and what a config says."""

import json

import pytest

from runner.models import table
from runner.models.architecture import Architecture, Experts, from_config

PUBLISHED = {
    # Model cards of the Qwen2.5 collection.
    "Qwen/Qwen2.5-0.5B-Instruct": 0.49,
    "Qwen/Qwen2.5-1.5B": 1.54,
    "Qwen/Qwen2.5-3B": 3.09,
    "Qwen/Qwen2.5-7B-Instruct": 7.61,
    "Qwen/Qwen2.5-14B": 14.7,
    "Qwen/Qwen2.5-32B-Instruct": 32.5,
    "Qwen/Qwen2.5-72B": 72.7,
    "Qwen/Qwen2.5-Math-7B": 7.61,
    "Qwen/Qwen2.5-Coder-32B": 32.5,
    # Model cards of Qwen3.
    "Qwen/Qwen3-0.6B": 0.6,
    "Qwen/Qwen3-4B": 4.0,
    "Qwen/Qwen3-8B": 8.2,
    "Qwen/Qwen3-14B": 14.8,
    "Qwen/Qwen3-32B": 32.8,
    "Qwen/Qwen3-30B-A3B": 30.5,
    "Qwen/Qwen3-235B-A22B": 235,
    # Llama 3 (arXiv 2407.21783) and the sizes of the files on the hub.
    "meta-llama/Meta-Llama-3-8B": 8.03,
    "meta-llama/Llama-3.3-70B-Instruct": 70.6,
    "meta-llama/Llama-3.2-1B": 1.24,
    "meta-llama/Llama-3.2-3B": 3.21,
    # DeepSeek-V3 (arXiv 2412.19437); of DeepSeek LLM 7B the size of its files.
    "deepseek-ai/DeepSeek-V3": 671,
    "deepseek-ai/deepseek-llm-7b-chat": 6.91,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": 1.78,
    # Gemma 2 (arXiv 2408.00118, table 2: embedding and other parameters together).
    "google/gemma-2-2b": 2.61,
    "google/gemma-2-9b": 9.24,
    "google/gemma-2-27b": 27.2,
    "mistralai/Mistral-7B-v0.1": 7.24,
}
ACTIVE = {
    "Qwen/Qwen3-30B-A3B": 3.3,
    "Qwen/Qwen3-235B-A22B": 22,
    "deepseek-ai/DeepSeek-V3": 37,
    "Qwen/Qwen2.5-7B": 7.61,
}


def shape(name: str) -> Architecture:
    row = table.row(name)
    assert row is not None
    return row.architecture


@pytest.mark.parametrize(("name", "billions"), PUBLISHED.items())
def test_parameters_are_those_that_are_published(name, billions):
    assert shape(name).parameters == pytest.approx(billions * 1e9, rel=0.02)


@pytest.mark.parametrize(("name", "billions"), ACTIVE.items())
def test_active_parameters_are_those_that_are_published(name, billions):
    assert shape(name).active_parameters == pytest.approx(billions * 1e9, rel=0.02)


def test_parameters_by_hand():
    # Qwen2.5-0.5B: embedding 151936 x 896; a layer: queries 896 x 896 + 896, keys and values
    # 2 x (896 x 128 + 128), output 896 x 896, feed-forward 3 x 896 x 4864, two norms of 896.
    layer = 896 * 896 + 896 + 2 * (896 * 128 + 128) + 896 * 896 + 3 * 896 * 4864 + 2 * 896
    assert shape("Qwen/Qwen2.5-0.5B").parameters == 151936 * 896 + 24 * layer + 896 == 494_032_768


def test_adapters_by_hand():
    # Rank 32 on each linear layer of Qwen2.5-0.5B: r x (in + out).
    sums = 2 * (896 + 896) + 2 * (896 + 128) + 3 * (896 + 4864)
    assert shape("Qwen/Qwen2.5-0.5B").adapter_parameters(32) == 24 * 32 * sums == 17_596_416


def test_latent_attention_caches_ranks_and_not_heads():
    assert shape("deepseek-ai/DeepSeek-V3").key_value_width == 512 + 64
    assert shape("Qwen/Qwen2.5-7B").key_value_width == 2 * 4 * 128


def test_a_config_with_the_least_that_it_may_say():
    config = {
        "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2,
        "intermediate_size": 16, "vocab_size": 32, "max_position_embeddings": 64,
    }  # fmt: skip
    assert from_config(config) == Architecture(2, 8, 2, 2, 4, 16, 32, 64, tied=False)
    mixtral = {**config, "num_local_experts": 8, "num_experts_per_tok": 2}
    found = from_config(mixtral)
    assert found is not None
    assert found.experts == Experts(routed=8, active=2, intermediate=16)


@pytest.mark.parametrize("config", [{}, {"hidden_size": "x"}, {"num_attention_heads": 0}])
def test_a_config_of_another_kind_says_nothing(config):
    assert from_config(config) is None


def test_every_row_has_a_source_and_can_be_read():
    assert len(table.names()) > 80
    for name in table.names():
        row = table.row(name)
        assert row is not None, name
        assert row.source, name
    rows = json.loads(table.FILE.read_bytes())
    assert list(rows) == sorted(rows)


@pytest.mark.parametrize(
    ("name", "gated"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", True),
        ("meta-llama/Llama-9-1T", True),
        ("google/gemma-3-27b-it", True),
        ("google/flan-t5-base", False),
        ("Qwen/Qwen3-8B", False),
        ("unsloth/Llama-3.2-1B", False),
    ],
)
def test_families_behind_a_licence_are_known(name, gated):
    assert table.is_gated(name) is gated
