"""Where facts on a model come from: the repository, what was fetched, the table, another run."""

import json

import pytest
from planned_registry import SPEC as GRPO

from runner.models import table
from runner.models.facts import Models
from runner.spec.experiment import Model
from runner.spec.tree import MemoryTree

CONFIG = {
    "model_type": "qwen2", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 320,
    "max_position_embeddings": 512, "tie_word_embeddings": True,
}  # fmt: skip
COMMIT = "7ae557604adf67be50417f59c2c2f167def9a775"


def models() -> Models:
    return Models(MemoryTree({}))


def test_a_folder_of_the_repository_says_it_itself():
    files = MemoryTree({"models/tiny/config.json": json.dumps(CONFIG).encode()})
    for source in ("path", "dvc"):
        found = Models(files).find(Model(source=source, path="models/tiny"))
        assert found is not None
        assert (found.name, found.architecture.context) == ("models/tiny", 512)
        assert found.source == "models/tiny/config.json"


def config(**changes: object) -> bytes:
    return json.dumps({**CONFIG, **changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"{}", b'"x"', b"[" * 100_000, b'{"a": ' * 100_000, b" " * 2**21,
        config(hidden_size=10**400), config(hidden_size=-8), config(hidden_size=float("inf")),
        config(vocab_size="9" * 5000), config(num_hidden_layers=[1]), config() + b" " * 2**20,
    ],
)  # fmt: skip
def test_a_config_that_cannot_be_read_says_nothing(content):
    files = MemoryTree({"models/tiny/config.json": content})
    assert Models(files).find(Model(source="path", path="models/tiny")) is None


def test_a_hub_model_comes_from_the_table_and_an_unknown_one_from_nowhere():
    found = models().find(Model(path="Qwen/Qwen2.5-7B"))
    row = table.row("Qwen/Qwen2.5-7B")
    assert found is not None
    assert row is not None
    assert found.architecture == row.architecture
    assert row.source in found.source
    assert models().find(Model(path="Qwen/Qwen99-7B")) is None
    assert models().find(None) is None


def test_a_pinned_revision_that_was_fetched_before_is_read(tmp_path, monkeypatch):
    snapshot = tmp_path / "hub" / "models--Qwen--Qwen2.5-7B" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps({**CONFIG, "vocab_size": 99}))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    found = models().find(Model(path="Qwen/Qwen2.5-7B", revision=COMMIT))
    assert found is not None
    assert (found.architecture.vocabulary, found.source) == (99, f"config.json at {COMMIT[:12]}")
    other = models().find(Model(path="Qwen/Qwen2.5-7B", revision="0" * 40))
    assert other is not None
    assert other.architecture.vocabulary == 152064


def test_a_run_has_the_model_of_the_run_that_it_starts_from():
    after = GRPO.replace("path: Qwen/Qwen2.5-0.5B, revision: 060db6499f32", "source: run, path: up")
    files = MemoryTree(
        {"experiments/up.yaml": GRPO.encode(), "experiments/after.yaml": after.encode()}
    )
    found = Models(files).find(Model(source="run", path="after@0123456789ab"))
    assert found is not None
    assert (found.name, found.architecture.layers) == ("Qwen/Qwen2.5-0.5B", 24)
    assert Models(files).find(Model(source="run", path="gone")) is None
