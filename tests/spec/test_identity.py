"""A run's identity: what never changes it, and what always does."""

import json
from pathlib import Path

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_specs import (
    ALGORITHMS,
    FILES,
    GRPO,
    OTHER_IMAGE,
    REGISTRY,
    SCRIPT,
    SFT,
    algorithm_fields,
    another_value,
    at,
    changed,
    dump,
    is_nullable,
    leaves,
    resolved,
    run_id,
    sections,
    setting,
    with_every_section,
)
from spec_texts import load_one
from yaml_styles import float_spellings, yaml_texts

from runner.errors import Refused
from runner.registry import Environment
from runner.spec.identity import (
    FIELDS,
    Change,
    changes,
    digest,
    own_digest,
    policy_changes,
)
from runner.spec.yaml import parse

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


# How it is written


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=yaml_texts(GRPO))
def test_order_comments_quotes_and_spellings_of_numbers_never_change_it(text):
    assert parse(text.encode(), "x.yaml").data == GRPO
    assert run_id(text) == run_id(GRPO)


@settings(max_examples=25, deadline=None)
@given(text=yaml_texts(GRPO))
def test_nor_does_any_of_it_count_as_an_edit(text):
    assert own_digest(parse(text.encode(), "x.yaml").data) == own_digest(GRPO)


@settings(max_examples=100, deadline=None)
@given(rate=st.floats(0, 1, allow_subnormal=False), data=st.data())
def test_a_number_has_one_digest_however_it_is_spelled(rate, data):
    text = data.draw(st.sampled_from(float_spellings(rate)))
    read = parse(f"rate: {text}".encode(), "x.yaml").data
    assert digest(read) == digest({"rate": rate})


@pytest.mark.parametrize("text", ["1e-6", "0.000001", "1.0e-6", "1.0E-06", "10e-7", ".1e-5"])
def test_a_millionth_is_a_millionth(text):
    spec = dump(GRPO).replace(b"learning_rate: 1.0e-06", f"learning_rate: {text}".encode())
    assert text.encode() in spec
    assert run_id(spec) == run_id(GRPO)


@pytest.mark.parametrize("name", ["budget.usd_per_run", "rollout.temperature"])
def test_a_whole_number_stands_for_a_float(name):
    assert run_id(changed(GRPO, name, 8)) == run_id(changed(GRPO, name, 8.0))


@pytest.mark.parametrize(
    "name", ["model.revision", "training.save_every", "resources.accelerators"]
)
def test_null_and_absence_are_the_same(name):
    without = changed(GRPO, name, None)
    section, _, key = name.partition(".")
    absent = {**GRPO, section: {k: v for k, v in GRPO[section].items() if k != key}}
    assert run_id(without) == run_id(absent)


def test_a_default_written_out_is_the_default():
    spelled = {**SFT, "rollout": {"engine": "vllm", "top_p": 1.0}, "resources": {"nodes": 1}}
    assert run_id(spelled) == run_id(SFT)


def test_what_a_base_says_counts_as_if_the_file_said_it():
    own = {"extends": "bases/b", "description": GRPO["description"]}
    base = {key: value for key, value in GRPO.items() if key != "description"}
    assert run_id(own, bases__b=base) == run_id(GRPO)


def test_a_point_of_a_matrix_is_the_run_that_a_file_would_be():
    matrix = {"grid": {"training.learning_rate": [1e-06, 5e-07]}}
    runs = resolved({**GRPO, "matrix": matrix})
    assert [one.run_id for one in runs] == [
        run_id(GRPO), run_id(changed(GRPO, "training.learning_rate", 5e-07)),
    ]  # fmt: skip


def test_null_in_overrides_is_a_value():
    none = {"overrides": {"trainer.x": None}}
    assert run_id({**GRPO, **none}) != run_id({**GRPO, "overrides": {}})


# What a run reads


@pytest.mark.parametrize(
    "path", ["data/train.jsonl", "data/val.jsonl", "reward/sums.py", "reward/tools.py"]
)
def test_one_changed_line_of_what_it_reads_is_another_run(path):
    files = {**FILES, path: FILES[path] + b"\n"}
    assert run_id(GRPO, files) != run_id(GRPO)


def test_a_file_that_it_does_not_read_does_not_matter():
    files = {**FILES, "unrelated.py": b"A = 2\n", "reward/others.py": b"", "lib/loss.py": b"1\n"}
    assert run_id(GRPO, files) == run_id(GRPO)


def test_the_digest_that_dvc_states_counts():
    def ids(md5: str) -> str:
        pointer = f"outs:\n- md5: {md5}\n  hash: md5\n  path: train.jsonl\n".encode()
        return run_id(GRPO, {**FILES, "data/train.jsonl.dvc": pointer})

    assert ids("a" * 32) == ids("a" * 32) != ids("b" * 32)


def test_the_name_of_a_validation_set_counts():
    spec = changed(GRPO, "data.val", {"other": "data/val.jsonl"})
    spec = changed(spec, "checkpoints.keep_best", None)
    assert run_id(spec) != run_id(changed(GRPO, "checkpoints.keep_best", None))


def test_a_model_of_the_repository_counts_by_content():
    spec = {**SFT, "model": {"source": "path", "path": "models/tiny"}}
    files = {**FILES, "models/tiny/config.json": b"{}", "models/tiny/weights": b"1"}
    assert run_id(spec, files) != run_id(spec, {**files, "models/tiny/weights": b"2"})
    moved = {**files, "models/tiny/other": files["models/tiny/weights"]}
    del moved["models/tiny/weights"]
    assert run_id(spec, files) != run_id(spec, moved)


def test_the_environment_counts_the_image_first_then_the_lock():
    def ids(**environment: str) -> str:
        pins = {"verl==0.9.1": Environment(**environment)} if environment else {}
        return run_id(SFT, files, REGISTRY.model_copy(update={"environments": pins}))

    files = {**FILES, "lock.txt": b"verl==0.9.1\n", "lock2.txt": b"verl==0.9.1\ntorch==2\n"}
    other, image = f"x@sha256:{'3' * 64}", f"y@sha256:{'4' * 64}"
    assert len({ids(), ids(lock="lock.txt"), ids(lock="lock2.txt"), ids(image=image)}) == 4
    assert ids(image=image) == ids(image=image, lock="lock.txt") != ids(image=other)
    same_digest = f"mirror.example/z@sha256:{'4' * 64}"
    assert ids(image=image) == ids(image=same_digest)


REWARDS = {
    "a module": b"import lib.loss\n",
    "a name of a module": b"from lib.loss import SCALE\n",
    "a module of a package": b"from lib import loss\n",
    "a package whose __init__ imports it": b"import wrapping\n",
    "a relative sibling": b"from .near import SCALE\n",
    "an import inside a function": b"def f():\n    import lib.loss\n",
    "an import in a try": b"try:\n    import lib.loss\nexcept ImportError:\n    pass\n",
    "an alias": b"import lib.loss as l\n",
}


@pytest.mark.parametrize("source", REWARDS.values(), ids=REWARDS)
def test_a_line_in_a_module_that_the_reward_imports_is_another_run(source):
    files = {
        **FILES,
        "reward/sums.py": source + b"def score(): ...\n",
        "reward/near.py": b"from lib.loss import SCALE\n",
        "wrapping/__init__.py": b"from .inner import x\n",
        "wrapping/inner.py": b"import lib.loss\nx = 1\n",
    }
    before = run_id(GRPO, files)
    assert run_id(GRPO, {**files, "lib/loss.py": b"SCALE = 2\n"}) != before
    assert run_id(GRPO, {**files, "lib/__init__.py": b"import os\n"}) != before
    assert run_id(GRPO, {**files, "unrelated.py": b"A = 2\n"}) == before


def test_the_package_that_holds_the_reward_is_run_with_it():
    files = {**FILES, "reward/__init__.py": b"import lib.loss\n"}
    before = run_id(GRPO, files)
    assert run_id(GRPO, {**files, "reward/__init__.py": b"\n"}) != before
    assert run_id(GRPO, {**files, "lib/loss.py": b"SCALE = 2\n"}) != before


def test_a_script_counts_with_its_folders_and_what_they_import():
    before = run_id(SCRIPT)
    assert run_id(SCRIPT, {**FILES, "lib/loss.py": b"SCALE = 2\n"}) != before
    assert run_id(SCRIPT, {**FILES, "lib/new.txt": b"x"}) != before
    assert run_id(SCRIPT, {**FILES, "unrelated.py": b"A = 2\n"}) == before


def test_a_run_from_another_run_has_that_one_in_its_identity():
    spec = {**SFT, "model": {"source": "run", "path": "up"}}
    before = resolved(spec, up=SFT)[0]
    assert before.inputs.upstream == run_id(SFT)
    assert run_id(spec, up=changed(SFT, "training.epochs", 2)) != before.run_id
    pinned = {**spec, "model": {"source": "run", "path": f"up@{before.inputs.upstream}"}}
    assert resolved(pinned)[0].inputs.upstream == before.inputs.upstream


def test_a_seed_starts_from_the_same_seed_of_a_run_with_several():
    up = {**SFT, "seeds": [1, 2]}
    runs = resolved({**up, "model": {"source": "run", "path": "up"}}, up=up)
    sources = [run_id({**SFT, "seeds": [seed]}) for seed in (1, 2)]
    assert [run.inputs.upstream for run in runs] == sources


@pytest.mark.parametrize(
    ("spec", "others", "message"),
    [
        ("up", {}, "no valid experiment"),
        ("up", {"up": {**SFT, "model": {"source": "run", "path": "x"}}}, "circle: x -> up -> x"),
        ("x", {}, "circle: x -> x"),
        ("up", {"up": {**SFT, "seeds": [2, 3]}}, "0 runs with seed 1"),
    ],
)
def test_a_source_run_that_cannot_be_named_is_refused(spec, others, message):
    with pytest.raises(Refused, match=message):
        resolved({**SFT, "model": {"source": "run", "path": spec}}, **others)


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


# What a file itself says


EDITS = {
    "another value": "training: {steps: 2, prompts_per_step: 8, learning_rate: 5.0e-7}",
    "a seed": "seeds: [1, 2]",
    "an override": "overrides: {trainer.x: 1}",
    "another path of data": "data: {train: data/c.jsonl, val: {arith: data/b.jsonl}}",
    "a null, which takes back what a base says": "image: null",
    "a matrix": "matrix: {grid: {training.learning_rate: [1.0e-6]}}",
    "a base": "extends: bases/b",
}
NO_EDITS = {
    "a comment": "# a comment",
    "a description": "description: words",
    "an owner": "owner: me",
    "a launch policy": "launch: manual",
    "an expectation": "expect: [{reward/mean: last > 0}]",
    "a budget": "budget: {usd_per_run: 3}",
    "a limit": "resources: {max_duration: 3h}",
}


def own_of(line: str) -> str:
    from spec_texts import put

    bases = {"bases__b": "training: {weight_decay: 0.0}"} if "extends" in line else {}
    return own_digest(load_one(put(line), **bases).own)


@pytest.mark.parametrize("line", EDITS.values(), ids=EDITS)
def test_an_edit_counts(line):
    assert own_of(line) != own_of("# nothing")


@pytest.mark.parametrize("line", NO_EDITS.values(), ids=NO_EDITS)
def test_what_bears_no_identity_is_no_edit(line):
    assert own_of(line) == own_of("# nothing")


def test_a_changed_base_is_no_edit_of_the_file_itself():
    file = "extends: bases/b\ndescription: mine\n"
    base = dump(SFT).decode()
    other = dump(changed(SFT, "training.epochs", 2)).decode()
    assert own_digest(load_one(file, bases__b=base).own) == own_digest(
        load_one(file, bases__b=other).own
    )


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
