"""What TRL 1.16.0 has no key for, or does otherwise than a spec says; paths are in its wheel."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.algorithms.base import Terms
from runner.spec.experiment import Experiment
from runner.trainers.base import Refusal
from runner.trainers.trl_settings import LOSSES, METHODS, batch

VERL = "write trainer: verl==0.9.1"
VERL_OR_SKYRL = f"{VERL} or skyrl==0.3.0"
RESERVED = re.compile(
    r"model_name_or_path|model_revision|dataset_\w+|datasets|streaming|test_split_size|config"
    r"|reward_funcs|reward_model_name_or_path|output_dir|resume_from_checkpoint|report_to|run_name"
    r"|(data_)?seed|max_steps|num_train_epochs|logging_(steps|strategy|first_step)|push_to_hub|hub_\w+"
    r"|per_device_train_batch_size|gradient_accumulation_steps|num_generations|steps_per_generation"
    r"|generation_batch_size|num_iterations|use_cpu"
)
"""Keys of what a run reads, where it writes, how long it is and what a step is: fields of the spec
say these, or nothing reads them here."""


def refusals(spec: Experiment) -> Iterator[Refusal]:
    """Yield what `spec` asks for and TRL cannot do."""
    if spec.algorithm is None:
        return
    name, terms = spec.algorithm.name, spec.algorithm.terms()
    if terms.stage == "rl" and terms.advantage not in METHODS:
        message = f"`{name}`: TRL has no advantage estimator {terms.advantage}, only "
        yield Refusal(("algorithm",), message + ", ".join(METHODS), VERL)
    elif terms.stage == "rl":
        yield from _estimators(name, terms, batch(spec, terms).updates)
        yield from _terms(name, terms)
        yield from _kl(terms)
        yield from _sampling(spec)
    elif (spec.training.prompts_per_update or spec.training.prompts_per_step) != (
        spec.training.prompts_per_step
    ):
        message = f"`{name}`: a step of TRL is one update"
        cure = "delete it, and write the rows of an update as prompts_per_step"
        yield Refusal(("training", "prompts_per_update"), message, cure)
    yield from _training(spec)
    yield from _surroundings(spec)
    yield from _overrides(spec)


def _estimators(name: str, terms: Terms, updates: int) -> Iterator[Refusal]:
    loss, aggregation = terms.policy_loss, terms.loss_aggregation or "token_mean"
    if terms.advantage == "rloo":
        yield from _rloo(name, terms, updates)
    elif loss not in {policy_loss for policy_loss, _ in LOSSES}:
        losses = ", ".join(dict.fromkeys(policy_loss for policy_loss, _ in LOSSES))
        message = f"`{name}`: TRL has no policy loss {loss}, only {losses}"
        yield Refusal(("algorithm",), message, VERL)
    elif (str(loss), aggregation) not in LOSSES:
        fitting = " or ".join(one for policy_loss, one in LOSSES if policy_loss == loss)
        message = f"`{name}`: TRL's {loss} aggregates by {fitting} only, not by {aggregation}"
        yield Refusal(("algorithm",), message, f"write loss_aggregation: {fitting}, or {VERL}")


def _rloo(name: str, terms: Terms, updates: int) -> Iterator[Refusal]:
    """TRL's RLOO takes an answer as one action (trainer/rloo_trainer.py, _compute_loss)."""
    if terms.loss_aggregation not in (None, "sequence_mean_token_sum"):
        message = f"`{name}`: TRL sums an answer's tokens, and has no {terms.loss_aggregation}"
        cure = f"write loss_aggregation: sequence_mean_token_sum, or {VERL}"
        yield Refusal(("algorithm",), message, cure)
    if terms.policy_loss != "vanilla":
        message = f"`{name}`: TRL's RLOO has the clipped surrogate only, not {terms.policy_loss}"
        yield Refusal(("algorithm",), message, VERL)
    if updates > 1:
        message = f"`{name}`: in the {updates} updates of a step TRL would clip the ratio of whole "
        message += "answers, not of tokens"
        cure = f"delete it: in the first update no ratio is clipped; or {VERL}"
        yield Refusal(("training", "prompts_per_update"), message, cure)
    if terms.entropy_coefficient:
        message = "TRL's RLOO has no entropy bonus"
        yield Refusal(("algorithm", "entropy_coefficient"), message, f"write 0, or {VERL}")


def _terms(name: str, terms: Terms) -> Iterator[Refusal]:
    if terms.dynamic_sampling:
        message = f"`{name}`: TRL cannot sample other prompts for groups without signal"
        cure = f"write dynamic_sampling: null, or {VERL_OR_SKYRL}"
        yield Refusal(("algorithm", "dynamic_sampling"), message, cure)
    if terms.dual_clip and (terms.policy_loss != "vanilla" or terms.advantage != "grpo"):
        message = f"`{name}`: TRL has a dual clip in GRPO's clipped surrogate only"
        yield Refusal(("algorithm", "dual_clip"), message, f"delete it, or {VERL}")
    if terms.policy_loss == "cispo" and terms.clip and terms.clip.low < 1:
        message = f"`{name}`: TRL bounds the weight of a token from above only"
        path = ("algorithm", "clip_ratio", "low")
        yield Refusal(path, message, f"write low: 1, or {VERL}")
    if terms.discount != 1 or terms.critic:
        message = f"`{name}`: TRL has neither a critic nor a discount"
        yield Refusal(("algorithm",), message, VERL_OR_SKYRL)


def _kl(terms: Terms) -> Iterator[Refusal]:
    """GRPO has k3 in the loss, RLOO k1 in the reward (trainer/{grpo,rloo}_trainer.py)."""
    kl = terms.kl
    if kl is None:
        return
    is_rloo = terms.advantage == "rloo"
    place, estimator = ("reward", "k1") if is_rloo else ("loss", "k3")
    if kl.in_ != place:
        message = f"TRL has this penalty in the {place} only"
        yield Refusal(("algorithm", "kl", "in"), message, f"write in: {place}, or {VERL}")
    if kl.estimator != estimator:
        message = f"TRL estimates this penalty by {estimator} only"
        cure = f"write estimator: {estimator}, or {VERL}"
        yield Refusal(("algorithm", "kl", "estimator"), message, cure)


def _sampling(spec: Experiment) -> Iterator[Refusal]:
    if spec.rollout.multi_turn:
        message = "with TRL conversations of several turns are not driven here"
        yield Refusal(("rollout", "multi_turn"), message, VERL)
    if spec.rollout.temperature == 0:
        message = "TRL divides by the temperature: 0 cannot be sampled from"
        yield Refusal(("rollout", "temperature"), message, "write 1.0")
    if spec.reward is None:
        message = "TRL is given its rewards by the spec's function, and there is none"
        yield Refusal(("reward",), message, "add `reward:`")


def _training(spec: Experiment) -> Iterator[Refusal]:
    training = spec.training
    if training.tokens_per_device is not None:
        message = "TRL has no passes cut by tokens"
        cure = f"write samples_per_device instead, or {VERL}"
        yield Refusal(("training", "tokens_per_device"), message, cure)
    if (training.sequence_parallel or 1) > 1:
        message = "with TRL devices do not share a sequence here"
        yield Refusal(("training", "sequence_parallel"), message, f"delete it, or {VERL}")
    if training.offload and any(training.offload.model_dump().values()):
        message = "with TRL nothing is offloaded here"
        yield Refusal(("training", "offload"), message, f"delete it, or {VERL_OR_SKYRL}")
    if spec.data and not spec.data.val:
        for key in ("evaluate_every", "evaluate_before_training"):
            if getattr(training, key):
                message = "there is no validation set to evaluate on, and TRL would fail"
                yield Refusal(("training", key), message, "add data.val, or delete it")


def _surroundings(spec: Experiment) -> Iterator[Refusal]:
    if spec.resources.nodes > 1:
        message = "with TRL one node is driven here"
        cure = f"write nodes: 1, or {VERL_OR_SKYRL}"
        yield Refusal(("resources", "nodes"), message, cure)


def _overrides(spec: Experiment) -> Iterator[Refusal]:
    """Yield the raw keys that say what a run is: identity and resuming would not know of them."""
    for key in spec.overrides:
        if RESERVED.fullmatch(key):
            message = f"`{key}` is set by the runner"
            cure = "say it with the spec's field, such as data.train, seeds or prompts_per_step"
            yield Refusal(("overrides", key), message, cure)
