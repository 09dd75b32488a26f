"""What every algorithm stands for, held against what its paper or verl's example says."""

import importlib
import re
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from runner.algorithms import Algorithm
from runner.algorithms.base import AlgorithmConfig, Terms

CLASSES: dict[str, type[AlgorithmConfig]] = {
    get_args(model.model_fields["name"].annotation)[0]: model
    for model in get_args(get_args(Algorithm)[0])
}
K1_IN_REWARD = {"in_": "reward", "coefficient": 0.001, "estimator": "k1"}
CLIP = {"low": 0.2, "high": 0.2}
# What differs from the defaults of Terms.
EXPECTED: dict[str, dict[str, Any]] = {
    "sft": {},
    "ppo": {
        "advantage": "gae", "policy_loss": "vanilla", "loss_aggregation": "token_mean",
        "clip": CLIP, "critic": {"learning_rate": 1e-5, "warmup_steps": 0, "clip": 0.5},
    },
    "grpo": {
        "advantage": "grpo", "policy_loss": "vanilla", "loss_aggregation": "token_mean",
        "group_size": 8, "clip": CLIP,
    },
    "dr_grpo": {
        "advantage": "grpo", "policy_loss": "vanilla",
        "loss_aggregation": "sequence_mean_token_scaled", "group_size": 8,
        "normalize_by_std": False, "clip": CLIP,
    },
    "dapo": {
        "advantage": "grpo", "policy_loss": "vanilla", "loss_aggregation": "token_mean",
        "group_size": 16, "clip": {"low": 0.2, "high": 0.28}, "dual_clip": 10.0,
        "dynamic_sampling": {"metric": "accuracy", "max_batches": None},
    },
    "gspo": {
        "advantage": "grpo", "policy_loss": "gspo",
        "loss_aggregation": "sequence_mean_token_mean", "group_size": 16,
        "clip": {"low": 3e-4, "high": 4e-4},
    },
    "rloo": {
        "advantage": "rloo", "policy_loss": "vanilla", "loss_aggregation": "token_mean",
        "group_size": 4, "normalize_by_std": False, "clip": CLIP, "kl": K1_IN_REWARD,
    },
    "reinforce_plus_plus": {
        "advantage": "reinforce_plus_plus", "policy_loss": "vanilla",
        "loss_aggregation": "token_mean", "normalize_by_std": False, "clip": CLIP,
        "kl": K1_IN_REWARD,
    },
    "reinforce_plus_plus_baseline": {
        "advantage": "reinforce_plus_plus_baseline", "policy_loss": "vanilla",
        "loss_aggregation": "token_mean", "group_size": 8, "normalize_by_std": False,
        "clip": CLIP, "kl": {"in_": "loss", "coefficient": 0.001, "estimator": "k2"},
    },
    "remax": {
        "advantage": "remax", "policy_loss": "vanilla", "loss_aggregation": "token_mean",
        "normalize_by_std": False, "clip": CLIP, "kl": K1_IN_REWARD,
    },
    "gmpo": {
        "advantage": "grpo", "policy_loss": "geometric_mean", "group_size": 8,
        "clip": {"low": 0.4, "high": 0.4},
    },
    "cispo": {
        "advantage": "grpo", "policy_loss": "cispo", "loss_aggregation": "token_mean",
        "group_size": 8, "clip": {"low": 1.0, "high": 0.2},
    },
    "sapo": {
        "advantage": "grpo", "policy_loss": "sapo",
        "loss_aggregation": "sequence_mean_token_mean", "group_size": 16,
        "soft_gate": {"positive": 1.0, "negative": 1.05},
    },
    "gpg": {
        "advantage": "gpg", "policy_loss": "gpg", "loss_aggregation": "token_mean",
        "group_size": 8, "normalize_by_std": False,
    },
    "dpo": {"preference": {"loss": "sigmoid", "beta": 0.1}},
}  # fmt: skip
STAGES = {"sft": "sft", "dpo": "preference"}


def terms_of(name: str, **fields: Any) -> Terms:
    return CLASSES[name].model_validate({"name": name, **fields}).terms()


@pytest.mark.parametrize("name", CLASSES)
def test_the_defaults_are_those_that_were_vetted(name):
    terms = terms_of(name).model_dump()
    usual = Terms(stage=STAGES.get(name, "rl")).model_dump()
    assert {key: terms[key] for key in terms if terms[key] != usual[key]} == EXPECTED[name]
    assert terms["stage"] == usual["stage"]


def test_every_algorithm_is_expected_and_none_besides():
    assert set(EXPECTED) == set(CLASSES)


@pytest.mark.parametrize(
    ("name", "full"),
    [("gspo", "Group Sequence Policy Optimization"), ("gpg", "Group Policy Gradient"),
     ("dapo", "Decoupled Clip and Dynamic sAmpling Policy Optimization"),
     ("rloo", "REINFORCE Leave-One-Out"), ("gmpo", "Geometric-Mean Policy Optimization"),
     ("cispo", "Clipped Importance Sampling Policy Optimization"),
     ("sapo", "Soft Adaptive Policy Optimization"), ("ppo", "Proximal Policy Optimization"),
     ("grpo", "Group Relative Policy Optimization"), ("dr_grpo", "GRPO Done Right")],
)  # fmt: skip
def test_names_are_expanded_rightly(name, full):
    assert (CLASSES[name].model_fields["name"].description or "").startswith(full)


@pytest.mark.parametrize("name", sorted({*CLASSES} - {"sft"}))
def test_its_source_is_cited(name):
    assert re.search(
        r"arXiv\s+\d{4}\.\d{5}", importlib.import_module(f"runner.algorithms.{name}").__doc__
    )


@pytest.mark.parametrize(
    ("name", "section", "said", "expected"),
    [("dapo", "clip_ratio", {"low": 0.1}, {"low": 0.1, "high": 0.28}),
     ("gspo", "clip_ratio", {"high": 5e-4}, {"low": 3e-4, "high": 5e-4}),
     ("gmpo", "clip_ratio", {"high": 0.5}, {"low": 0.4, "high": 0.5}),
     ("cispo", "clip_ratio", {"high": 4.0}, {"low": 1.0, "high": 4.0}),
     ("rloo", "kl", {"coefficient": 0.05},
      {"in_": "reward", "coefficient": 0.05, "estimator": "k1"}),
     ("reinforce_plus_plus_baseline", "kl", {"coefficient": 0.05},
      {"in_": "loss", "coefficient": 0.05, "estimator": "k2"})],
)  # fmt: skip
def test_a_section_that_is_written_in_part_keeps_the_algorithms_own_defaults(
    name, section, said, expected
):
    config = CLASSES[name].model_validate({"name": name, section: said})
    assert getattr(config, section).model_dump() == expected


@pytest.mark.parametrize("name", ["rloo", "reinforce_plus_plus", "remax"])
def test_null_takes_the_penalty_away(name):
    assert terms_of(name).needs_reference
    assert not terms_of(name, kl=None).needs_reference


def test_a_group_of_one_is_refused_where_answers_are_compared():
    for name in CLASSES:
        if terms_of(name).is_grouped:
            with pytest.raises(ValidationError):
                terms_of(name, group_size=1)
    grouped = {name for name in CLASSES if terms_of(name).is_grouped}
    assert {*CLASSES} - grouped == {"sft", "dpo", "ppo", "remax", "reinforce_plus_plus"}
