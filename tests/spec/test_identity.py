"""A run's identity: what never changes it, and what always does."""

import json
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_specs import (
    ALGORITHMS,
    FILES,
    GRPO,
    OTHER_IMAGE,
    REGISTRY,
    SFT,
    algorithm_fields,
    another_value,
    at,
    changed,
    is_nullable,
    leaves,
    resolved,
    run_id,
    sections,
    setting,
    with_every_section,
)

from runner.errors import Refused
from runner.registry import Environment
from runner.spec.identity import FIELDS, Change, changes, digest, policy_changes

# Another valid value per field; the walk over the models below asks for one of every new field.
OTHER_VALUES = {
    "description": "said in other words",
    "hypothesis": "it does not learn",
    "owner": "somebody-else",
    "tags": ["other"],
    "trainer": "verl==0.9.2",
    "image": OTHER_IMAGE,
    "model.source": "modelscope",
    "model.path": "Qwen/Qwen2.5-1.5B",
    "model.revision": "1111111111",
    "data.train": "data/same-content.jsonl",
    "data.val": {"sums": "data/val-same.jsonl"},
    "data.max_prompt_tokens": 65,
    "data.max_response_tokens": 33,
    "data.columns": {"prompt": "query"},
    "data.shuffle": False,
    "reward": "reward/others.py:score",
    "training.epochs": 3,
    "training.steps": 11,
    "training.prompts_per_step": 32,
    "training.prompts_per_update": 16,
    "training.samples_per_device": 2,
    "training.learning_rate": 5e-07,
    "training.learning_rate_schedule": "constant",
    "training.warmup_steps": 3,
    "training.weight_decay": 0.2,
    "training.precision": "fp32",
    "training.tokens_per_device": 8192,
    "training.gradient_checkpointing": False,
    "training.sequence_parallel": 2,
    "training.offload.parameters": False,
    "training.offload.optimizer": False,
    "training.offload.reference": False,
    "training.lora.rank": 16,
    "training.lora.alpha": 32,
    "training.lora.targets": ["q_proj"],
    "training.save_every": 6,
    "training.evaluate_every": 3,
    "training.evaluate_before_training": False,
    "rollout.tensor_parallel": 2,
    "rollout.gpu_memory": 0.6,
    "rollout.temperature": 0.8,
    "rollout.top_p": 0.9,
    "rollout.multi_turn.format": "qwen3_coder",
    "rollout.multi_turn.max_turns": 4,
    "rollout.validation.samples": 8,
    "rollout.validation.temperature": 0.7,
    "rollout.validation.top_p": 0.8,
    "script.command": ["python", "train.py", "--more"],
    "script.files": ["train.py", "lib/__init__.py", "lib/loss.py"],
    "script.ray": False,
    "resources.accelerators": "A100:2",
    "resources.nodes": 2,
    "resources.cpus": 32,
    "resources.memory_gib": 256,
    "resources.disk_gib": 1024,
    "resources.network": None,
    "resources.priority": -5,
    "resources.candidates": [{"infra": "gcp", "spot": True}],
    "resources.wait_per_candidate": "1h",
    "resources.max_duration": "9h",
    "resources.recover.preemptions": 4,
    "resources.recover.errors": 2,
    "resources.keep_cluster": "1h",
    "budget.usd_per_run": 151.0,
    "budget.when_exceeded": "save_and_stop",
    "checkpoints.keep_last": 3,
    "checkpoints.keep_best": "reward/mean",
    "checkpoints.export": "none",
    "launch": "manual",
    "when_edited": "cancel_running",
    "follow_inputs": True,
    "expect": [{"reward/mean": "last >= 0.6"}],
    "tracking.wandb.project": "products",
    "tracking.wandb.entity": "other-team",
    "secrets": ["WANDB_API_KEY"],
    "overrides": {"actor_rollout_ref.actor.grad_clip": 2.0},
}
ONE_VALUE_ALONE = {
    "rollout.multi_turn.tools": "code counts by path and content; compared below",
    "apiVersion": "a new version is a new format",
    "rollout.engine": "vllm is the only engine",
    "seeds": "each run has one seed; compared below",
}
LEAVES = sorted({name for name in leaves() if not name.startswith("algorithm.")})
"""Every field but those of the algorithms, which all bear identity and are walked below."""


def declared(name: str) -> str:
    """Return what FIELDS says of a field or the nearest section above it."""
    parts = name.split(".")
    ways = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((FIELDS[way] for way in ways if way in FIELDS), "undeclared")


# What is declared


def test_every_field_is_declared():
    undeclared = [name for name in LEAVES if declared(name) == "undeclared"]
    assert undeclared == [], "say in runner/spec/identity.py whether it bears identity"


def test_nothing_is_declared_that_is_no_field():
    assert set(FIELDS) <= {*LEAVES, *sections()}
    assert [name for name in FIELDS if name.startswith("algorithm.")] == []


def test_every_field_has_a_case_here_and_every_case_a_field():
    missing = [name for name in LEAVES if name not in {**OTHER_VALUES, **ONE_VALUE_ALONE}]
    assert missing == [], "give the new field another valid value in OTHER_VALUES"
    assert {*OTHER_VALUES, *ONE_VALUE_ALONE} <= set(LEAVES)


@pytest.mark.parametrize("name", sorted(OTHER_VALUES))
def test_a_field_changes_the_identity_exactly_when_it_is_declared_in(name):
    spec = setting(name)
    other = changed(spec, name, OTHER_VALUES[name])
    assert other != spec
    # For digests the case names another place of the same content; contents are changed below.
    bears = declared(name) == "in" or name == "image"
    assert (run_id(other) != run_id(spec)) == bears


@pytest.mark.parametrize(("name", "field"), algorithm_fields())
def test_every_field_of_an_algorithm_changes_the_identity(name, field):
    """Another valid value is made from the field's own type and limits."""
    spec = with_every_section(name)
    value = at(spec["algorithm"], field)
    other = changed(spec, f"algorithm.{field}", another_value(name, field, value))
    assert run_id(other) != run_id(spec)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_part_of_an_algorithm_that_can_be_left_out_bears_identity_too(name):
    spec = with_every_section(name)
    for key, value in spec["algorithm"].items():
        if is_nullable(name, key):
            assert value is not None
            assert run_id(changed(spec, f"algorithm.{key}", None)) != run_id(spec), key


@settings(max_examples=20, deadline=None)
@given(text=st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=80))
@pytest.mark.parametrize("name", ["description", "hypothesis"])
def test_no_word_of_prose_changes_it(name, text):
    assert run_id(changed(GRPO, name, text)) == run_id(GRPO)


def test_the_number_of_gpus_bears_identity_and_their_kind_does_not():
    ids = {
        gpus: run_id(changed(GRPO, "resources.accelerators", gpus))
        for gpus in ("H100:2", "A100:2", "H100:4")
    }
    assert ids["H100:2"] == ids["A100:2"] != ids["H100:4"]


def test_each_seed_is_a_run_and_others_beside_it_do_not_matter():
    one, two = resolved(changed(GRPO, "seeds", [1, 2]))
    assert one.run_id == run_id(GRPO) != two.run_id


def test_the_name_of_the_file_does_not_matter():
    alone = run_id(GRPO)
    first, second = (resolved(GRPO, renamed__y=GRPO)[0], resolved(GRPO)[0])
    assert first.run_id == second.run_id == alone


def test_another_algorithm_is_another_run():
    specs = [
        {**SFT, "algorithm": {"name": name}, "reward": "reward/sums.py:score"}
        for name in ALGORITHMS
    ]
    assert len({run_id(spec) for spec in specs}) == len(ALGORITHMS)


# The payload and its differences


def test_the_payload_is_canonical_json_and_its_digest_is_the_identity():
    identity = resolved(GRPO)[0].identity
    stored = json.loads(json.dumps(identity.payload))
    assert digest(stored) == identity.digest
    assert rfc8785.dumps(stored) == rfc8785.dumps(identity.payload)
    assert identity.run_id == identity.digest[:12]


def test_differences_are_named_by_field():
    old = resolved(GRPO)[0].identity.payload
    new = resolved(changed(GRPO, "training.learning_rate", 5e-07))[0].identity.payload
    assert changes(old, new) == (Change("training.learning_rate", 1e-06, 5e-07, True),)
    assert changes(old, old) == ()


def test_differences_without_identity_are_told_apart():
    old = resolved(GRPO)[0].run.spec.model_dump(mode="json", by_alias=True)
    other = changed(changed(GRPO, "budget.usd_per_run", 1.0), "training.learning_rate", 5e-07)
    new = resolved(other)[0].run.spec.model_dump(mode="json", by_alias=True)
    assert policy_changes(old, new) == (Change("budget.usd_per_run", 150.0, 1.0, False),)


def test_a_number_without_a_canonical_form_is_refused():
    with pytest.raises(Refused, match="no canonical form"):
        digest({"x": float("nan")})


# Pinned


PINNED = Path(__file__).parent / "pinned"
PINNED_FILES = {
    **{path: FILES[path] for path in ("data/train.jsonl", "data/val.jsonl", "reward/sums.py")},
    "train.py": b"import lib.loss\n",
    "lib/loss.py": b"SCALE = 1\n",
    "requirements/train.txt": b"verl==0.9.1\n",
    "models/tiny.dvc": b"outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  path: tiny\n",
}
PINNED_REGISTRY = REGISTRY.model_copy(
    update={"environments": {"verl==0.9.1": Environment(lock="requirements/train.txt")}}
)
SPECS = sorted(path.stem for path in PINNED.glob("*.yaml"))


@pytest.mark.parametrize("name", SPECS)
def test_the_identities_of_old_specs_never_change(name):
    base = {"bases__sums": (PINNED / "bases" / "sums.yaml").read_bytes()}
    text = (PINNED / f"{name}.yaml").read_bytes()
    found = [run.run_id for run in resolved(text, PINNED_FILES, PINNED_REGISTRY, **base)]
    expected = json.loads((PINNED / "run-ids.json").read_text())[name]
    assert found == expected, (
        f"{name}: the runs of a spec that nobody edited have other identities now. Every run of "
        "every registry would be launched again. A changed default or canonical form belongs to a "
        "new apiVersion; rollbook/v1 keeps the old one. A new field needs an empty default, or one "
        "that is left out of the payload."
    )


def test_the_pinned_specs_are_all_there():
    assert sorted(json.loads((PINNED / "run-ids.json").read_text())) == SPECS
    assert len(SPECS) >= 5
