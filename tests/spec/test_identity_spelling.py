"""How a spec is written bears no identity and is no edit; what its file itself says is one."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_specs import GRPO, SFT, changed, dump, resolved, run_id
from spec_texts import load_one
from yaml_styles import float_spellings, yaml_texts

from runner.spec.identity import digest, own_digest
from runner.spec.yaml import parse


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
