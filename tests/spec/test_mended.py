"""The line as it should be: given where one word in the place of another mends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spec_texts import GRPO, load, put

from runner.findings import Finding
from runner.validate import validate

REGISTRY = f"apiVersion: rollbook/v1\nlineage: {'0a' * 16}\n"


def of_rule(findings: tuple[Finding, ...], rule: str) -> Finding:
    (found,) = [one for one in findings if one.rule == rule]
    return found


def checked(folder: Path, text: str) -> tuple[Finding, ...]:
    """Return what all rules find in a spec, as `runner validate` does."""
    (folder / "registry.yaml").write_text(REGISTRY)
    (folder / "experiments").mkdir(exist_ok=True)
    (folder / "experiments" / "x.yaml").write_text(text)
    return validate(folder).findings


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        (
            "training: {stepz: 2, prompts_per_step: 8, learning_rate: 1.0e-6}",
            "training: {steps: 2, prompts_per_step: 8, learning_rate: 1.0e-6}",
        ),
        ('"rewardd": reward/x.py:f', "reward: reward/x.py:f"),
        ("algorithm: {name: grop}   # no dash", "algorithm: {name: grpo}   # no dash"),
        ("launch: 'manuel'", "launch: manual"),
    ],
)
def test_a_misspelt_key_or_choice(line: str, mended: str) -> None:
    found = [one.mended for one in load(x=put(line)).findings if one.mended]
    assert found == [mended]


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        (
            "overrides: {actor_rollout_ref.actor.use_kl_los: true}",
            "overrides: {actor_rollout_ref.actor.use_kl_loss: true}",
        ),
        ("overrides: {actor_rollout_ref: {actor: {use_kl_los: true}}}", ""),
    ],
)
def test_a_key_of_the_trainer(tmp_path: Path, line: str, mended: str) -> None:
    found = of_rule(checked(tmp_path, put(line)), "overrides.known")
    assert found.mended == mended


def test_with_the_mended_line_the_finding_is_gone(tmp_path: Path) -> None:
    text = put("overrides: {actor_rollout_ref.actor.use_kl_los: true}")
    found = of_rule(checked(tmp_path, text), "overrides.known")
    lines = text.splitlines()
    lines[found.line - 1] = found.mended
    after = checked(tmp_path, "\n".join(lines) + "\n")
    assert "overrides.known" not in {one.rule for one in after}


def test_in_a_base_it_is_the_line_of_the_base() -> None:
    base = "\n  training:\n    stepz: 2\n".replace("\n  ", "\n")
    findings = load(x=f"{put('training: {}')}extends: bases/b\n", bases__b=base).findings
    found = [one for one in findings if one.key == "training.stepz"]
    assert {(one.path, one.mended.strip()) for one in found} == {
        ("experiments/bases/b.yaml", "steps: 2")
    }


@pytest.mark.parametrize(
    "line",
    [
        "seeds: {seedz: 1}",  # another type is wanted: no word mends it
        "training: {learning_rates: 1, steps: 2, prompts_per_step: 8, batch: 3}",
        f"algorithm: {{name: grop}} # {'x' * 500}",  # too long a line to show
    ],
)
def test_where_one_word_does_not_mend_it_there_is_none(line: str) -> None:
    findings = load(x=put(line)).findings
    assert findings
    assert not [one for one in findings if one.mended and "learning_rate:" not in one.mended]


def test_a_value_of_the_matrix_is_mended_there_or_not_at_all() -> None:
    text = f"{GRPO}matrix: {{grid: {{algorithm.name: [grop, rloo]}}}}\n"
    found = [one.mended for one in load(x=text).findings if one.mended]
    assert found == ["matrix: {grid: {algorithm.name: [grpo, rloo]}}"]


def test_it_is_remembered_and_printed(tmp_path: Path) -> None:
    text = put("overrides: {actor_rollout_ref.actor.use_kl_los: true}")
    first = checked(tmp_path, text)
    document = json.loads(json.dumps(validate(tmp_path).document()))
    assert document["findings"] == [one._asdict() for one in first]
    assert {"overrides: {actor_rollout_ref.actor.use_kl_loss: true}"} == {
        one["mended"] for one in document["findings"] if one["mended"]
    }
