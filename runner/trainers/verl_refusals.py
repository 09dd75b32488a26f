"""What verl 0.9.1 has no key for, or would ignore."""

from __future__ import annotations

from collections.abc import Iterator

from runner.algorithms.base import Terms
from runner.spec.experiment import Experiment
from runner.trainers.base import Refusal
from runner.trainers.verl_algorithm import ADVANTAGES, AGGREGATIONS, POLICY_LOSSES

TRL = "write trainer: trl==1.16.0"
SKYRL = "trainer: skyrl==0.3.0"
FORMATS = (
    "hermes",
    "gpt-oss",
    "qwen3_coder",
    "glm",
    "seed",
    "minimax",
    "kimi",
    "deepseek_v4",
    "gemma4",
)
"""Of tool calls (experimental/agent_loop/tool_parser.py)."""


def refusals(spec: Experiment) -> Iterator[Refusal]:
    """Yield what `spec` asks for and verl cannot do."""
    if spec.algorithm is None:
        return
    name, terms = spec.algorithm.name, spec.algorithm.terms()
    if terms.stage == "preference":
        message = f"`{name}`: verl has no trainer for preference pairs"
        yield Refusal(("algorithm",), message, TRL)
    elif terms.stage == "sft":
        yield from _supervised(spec)
    else:
        yield from _estimators(name, terms)
        yield from _sampling(terms)
        yield from _tools(spec)
        yield from _reference(spec, terms)


def _estimators(name: str, terms: Terms) -> Iterator[Refusal]:
    """What the registries of trainer/ppo/core_algos.py lack."""
    for kind, value, known in (
        ("advantage estimator", terms.advantage, ADVANTAGES),
        ("policy loss", terms.policy_loss, POLICY_LOSSES),
        ("loss aggregation", terms.loss_aggregation, AGGREGATIONS),
    ):
        if value is not None and value not in known:
            message = f"`{name}`: verl has no {kind} {value}, only {', '.join(known)}"
            yield Refusal(("algorithm",), message, "take an algorithm of those")


def _sampling(terms: Terms) -> Iterator[Refusal]:
    sampling = terms.dynamic_sampling
    if sampling and sampling.max_batches is not None:
        message = (
            f"verl's trainer ignores a limit of {sampling.max_batches} batches: it samples until "
            "the step is full (trainer/ppo/v1/trainer_base.py)"
        )
        path = ("algorithm", "dynamic_sampling", "max_batches")
        yield Refusal(path, message, f"delete it, or write {SKYRL}")


def _tools(spec: Experiment) -> Iterator[Refusal]:
    turns = spec.rollout.multi_turn
    if turns and turns.format not in FORMATS:
        message = (
            f"verl reads no tool calls in the format {turns.format}, only {', '.join(FORMATS)}"
        )
        yield Refusal(("rollout", "multi_turn", "format"), message, "take one of those")


def _reference(spec: Experiment, terms: Terms) -> Iterator[Refusal]:
    """A reference model that is not there cannot rest anywhere."""
    training = spec.training
    if not training.offload or not training.offload.reference:
        return
    path = ("training", "offload", "reference")
    if not terms.needs_reference:
        yield Refusal(path, "there is no reference model without `kl`", "delete it")
    elif training.lora:
        message = "the reference is the policy without its adapters: there is no second model"
        yield Refusal(path, message, "delete it")


def _supervised(spec: Experiment) -> Iterator[Refusal]:
    """What the supervised trainer has no key for."""
    training = spec.training
    if training.evaluate_before_training:
        yield Refusal(
            ("training", "evaluate_before_training"),
            "verl's supervised trainer does not validate before the first step",
            "delete it; `first` of a validation metric is then the first one measured",
        )
    if spec.data and not spec.data.shuffle:
        yield Refusal(
            ("data", "shuffle"),
            "verl's supervised trainer always draws rows in an order made from the seed",
            "delete it",
        )
    if (training.prompts_per_update or training.prompts_per_step) != training.prompts_per_step:
        yield Refusal(
            ("training", "prompts_per_update"),
            "verl's supervised trainer makes one update per step",
            "delete it, and write the update's rows as prompts_per_step",
        )
    if training.offload and training.offload.reference:
        yield Refusal(
            ("training", "offload", "reference"),
            "supervised training has no reference model",
            "delete it",
        )
