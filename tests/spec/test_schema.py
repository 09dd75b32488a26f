"""The schemas: current, complete, and of one mind with the loader."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from spec_texts import GRPO, SCRIPT, SFT, put

from runner.spec.schema import is_current, schemas, write
from runner.spec.wording import FORMS
from runner.spec.yaml import parse

ROOT = Path(__file__).parents[2]
SCHEMAS = schemas()
VALID = {
    "grpo": GRPO,
    "sft": SFT,
    "script": SCRIPT,
    "extends": "extends: bases/a\ntraining: {steps: 3}\nalgorithm: {group_size: 4}\n",
    "bases": "extends: [bases/a, b]\nalgorithm: {kl: {estimator: k1}}\n",
    "matrix": "matrix: {grid: {training.learning_rate: [1]}, include: [], exclude: []}\n",
    "null": put("budget: null"),
    "all": put("expect: [{reward/mean: last > 1}]", put("resources: {max_duration: 1h30m}")),
}
INVALID = {
    "unknown key": put("rewards: x"),
    "unknown key in a section": put("rollout: {top_k: 1}"),
    "unknown key in a union": put("algorithm: {name: grpo, groups: 1}"),
    "unknown key in a list": put("resources: {candidates: [{infra: a, spt: 1}]}"),
    "unknown key in the matrix": put("matrix: {grids: {}}"),
    "unknown key beside extends": "extends: a\ntraining: {step: 1}\n",
    "missing section": GRPO.replace("apiVersion: rollbook/v1\n", ""),
    "missing key": put("training: {steps: 1}"),
    "missing name": put("algorithm: {group_size: 4}"),
    "wrong type": put("seeds: 1"),
    "duration without unit": put("resources: {max_duration: 8}"),
}


def errors(text: str, name: str = "experiment.v1.json"):
    document = parse(text.encode(), "x.yaml")
    return [
        error.message for error in Draft202012Validator(SCHEMAS[name]).iter_errors(document.data)
    ]


def test_the_files_are_current():
    assert is_current(ROOT / "schemas"), "run: runner schema"


def test_a_changed_or_missing_file_is_not_current(tmp_path):
    paths = write(tmp_path / "new")
    assert is_current(tmp_path / "new")
    paths[0].write_text("{}")
    assert not is_current(tmp_path / "new")
    assert not is_current(tmp_path)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one(name):
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", VALID)
def test_valid_specs_are_accepted(name):
    assert errors(VALID[name]) == []


@pytest.mark.parametrize("name", INVALID)
def test_invalid_specs_are_rejected(name):
    assert errors(INVALID[name])


def test_bases_may_leave_everything_out_but_have_no_matrix():
    assert errors("training: {steps: 1}\n", "base.v1.json") == []
    assert errors("matrix: {}\n", "base.v1.json")
    assert errors("training: {stepz: 1}\n", "base.v1.json")


def test_every_spec_of_the_repository_fits_its_schema():
    for path in (ROOT / "experiments").rglob("*.yaml"):
        name = (
            "base" if "bases" in path.relative_to(ROOT / "experiments").parts[:1] else "experiment"
        )
        assert errors(path.read_text(), f"{name}.v1.json") == [], path


def test_the_repositorys_own_settings_fit_the_schema():
    for path in ROOT.glob("registry.yaml"):
        assert not list(
            Draft202012Validator(SCHEMAS["registry.v1.json"]).iter_errors(
                yaml.safe_load(path.read_text())
            )
        )


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described_and_every_section_closed(name):
    for where, section in _sections(SCHEMAS[name]):
        assert section.get("additionalProperties") is False, where
        for key, field in section["properties"].items():
            assert len(field.get("description", "")) > 3, f"{where}.{key} has no description"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_form_that_a_field_asks_for_has_words(name):
    own = {
        schemas()["base.v1.json"]["properties"]["extends"]["anyOf"][0]["pattern"],
        r"^(\d+[smhd])+$",
    }
    assert set(_patterns(SCHEMAS[name])) - own <= set(FORMS)


def _sections(schema: dict):
    yield "top", schema
    for key, section in schema.get("$defs", {}).items():
        if "properties" in section:
            yield key, section
    matrix = schema["properties"].get("matrix")
    if matrix:
        yield "matrix", matrix


def _patterns(schema):
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for below in schema.values():
            yield from _patterns(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _patterns(below)
