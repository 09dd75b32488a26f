"""What every algorithm stands for, held against what its paper or verl's example says."""

import importlib
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from runner.algorithms import CLASSES, load
from runner.algorithms.base import Terms
from runner.spec.experiment import Experiment
from runner.spec.section import RECORDED, Section

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


def plain(terms: Terms) -> dict[str, Any]:
    return {
        key: value.model_dump() if isinstance(value, Section) else value
        for key, value in terms._asdict().items()
    }


def terms_of(name: str, **fields: Any) -> Terms:
    return load(name).model_validate({"name": name, **fields}).terms()


@pytest.mark.parametrize("name", CLASSES)
def test_the_defaults_are_those_that_were_vetted(name):
    terms = plain(terms_of(name))
    usual = plain(Terms(stage=STAGES.get(name, "rl")))
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
    assert (load(name).model_fields["name"].description or "").startswith(full)


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
    config = load(name).model_validate({"name": name, section: said})
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


SPEC = {
    "apiVersion": "rollbook/v1",
    "trainer": "verl==0.9.1",
    "model": {"path": "some/model"},
    "data": {"train": "data/a.parquet"},
    "training": {"steps": 1, "prompts_per_step": 8, "learning_rate": 1e-6},
}


def test_what_a_recorded_algorithm_has_that_the_format_has_lost_is_passed_over():
    spec = {**SPEC, "algorithm": {"name": "grpo", "group_size": 4, "lost": {"x": 1}}}
    with pytest.raises(ValidationError, match=r"algorithm\.grpo\.lost"):
        Experiment.model_validate(spec, extra="ignore")
    recorded = Experiment.model_validate(spec, extra="ignore", context=RECORDED)
    assert recorded.model_dump()["algorithm"]["group_size"] == 4
    assert "lost" not in recorded.model_dump()["algorithm"]
    again = Experiment.model_validate_json(recorded.model_dump_json(by_alias=True))
    assert again == recorded


def test_only_the_algorithm_that_a_spec_names_is_loaded():
    code = (
        "import json, sys\n"
        "from runner.spec.experiment import Experiment\n"
        "Experiment.model_validate(json.loads(sys.argv[1]))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('runner.algorithms.')))\n"
    )
    spec = json.dumps({**SPEC, "algorithm": {"name": "sft"}})
    done = subprocess.run(
        [sys.executable, "-c", code, spec], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["runner.algorithms.base", "runner.algorithms.sft"]
