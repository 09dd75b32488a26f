"""What SkyRL 0.3.0 has no key for, asserts against or ignores; paths are within its wheel."""

from __future__ import annotations

from collections.abc import Iterator

from runner.algorithms.base import Terms
from runner.spec.experiment import Experiment
from runner.trainers.base import Refusal
from runner.trainers.skyrl_settings import ADVANTAGES, AGGREGATIONS, POLICY_LOSSES

VERL = "write trainer: verl==0.9.1"


def refusals(spec: Experiment) -> Iterator[Refusal]:
    """Yield what `spec` asks for and SkyRL cannot do."""
    if spec.algorithm is None:
        return
    name, terms = spec.algorithm.name, spec.algorithm.terms()
    if terms.stage != "rl":
        yield _other_stage(name, terms)
        return
    yield from _estimators(name, terms)
    yield from _terms(name, terms)
    yield from _training(spec)
    yield from _evaluation(spec)
    yield from _surroundings(spec)


def _other_stage(name: str, terms: Terms) -> Refusal:
    if terms.stage == "preference":
        message = f"`{name}`: SkyRL has no trainer for preference pairs"
        return Refusal(("algorithm",), message, "write trainer: trl==1.16.0")
    message = f"`{name}`: only SkyRL's reinforcement learning is driven here, not its main_sft"
    return Refusal(("algorithm",), message, f"{VERL} or trl==1.16.0")


def _estimators(name: str, terms: Terms) -> Iterator[Refusal]:
    """What the registries of backends/skyrl_train/utils/ppo_utils.py lack."""
    advantage, loss, aggregation = terms.advantage, terms.policy_loss, terms.loss_aggregation
    if advantage not in ADVANTAGES:
        message = f"`{name}`: SkyRL has no advantage estimator {advantage}, only "
        yield Refusal(("algorithm",), message + ", ".join(ADVANTAGES), VERL)
    if loss not in POLICY_LOSSES:
        message = f"`{name}`: SkyRL has no policy loss {loss}, only "
        yield Refusal(("algorithm",), message + ", ".join(POLICY_LOSSES), VERL)
    if aggregation is not None and aggregation not in AGGREGATIONS:
        message = f"SkyRL has no loss aggregation {aggregation}"
        cure = f"write {', '.join(AGGREGATIONS)}, or trainer: verl==0.9.1"
        yield Refusal(("algorithm", "loss_aggregation"), message, cure)
    if terms.dual_clip and loss != "vanilla":
        message = f"`{name}`: SkyRL has a dual clip for the clipped surrogate only, not for {loss}"
        yield Refusal(("algorithm", "dual_clip"), message, f"delete it, or {VERL}")


def _terms(name: str, terms: Terms) -> Iterator[Refusal]:
    sampling = terms.dynamic_sampling
    if sampling and sampling.metric != "reward":
        message = f"SkyRL compares the rewards of a group's answers, not their {sampling.metric}"
        path = ("algorithm", "dynamic_sampling", "metric")
        yield Refusal(path, message, f"write metric: reward, or {VERL}")
    if terms.overlong_penalty:
        message = f"`{name}`: SkyRL's config has no penalty for overlong answers"
        cure = f"write overlong_penalty: null, or {VERL}"
        yield Refusal(("algorithm", "overlong_penalty"), message, cure)
    if terms.critic and terms.critic.warmup_steps:
        message = "SkyRL trains policy and critic from the first step: no warmup of the critic"
        yield Refusal(("algorithm", "critic", "warmup_steps"), message, f"write 0, or {VERL}")


def _training(spec: Experiment) -> Iterator[Refusal]:
    if spec.training.precision == "fp32":
        message = "SkyRL's workers compute in bf16 whatever the weights are (workers/worker.py)"
        yield Refusal(("training", "precision"), message, f"write bf16, or {VERL}")
    if spec.data and not spec.data.shuffle:
        message = "SkyRL always shuffles the training rows (train/utils/trainer_utils.py)"
        yield Refusal(("data", "shuffle"), message, f"write shuffle: true, or {VERL}")


def _evaluation(spec: Experiment) -> Iterator[Refusal]:
    training = spec.training
    if training.evaluate_before_training and training.evaluate_every is None:
        message = "SkyRL evaluates before training only where it does so during training"
        path = ("training", "evaluate_before_training")
        yield Refusal(path, message, "add training.evaluate_every")
    if training.evaluate_every and spec.data and not spec.data.val:
        message = "SkyRL has nothing to evaluate on without a validation set, and would fail there"
        yield Refusal(("training", "evaluate_every"), message, "add data.val, or delete it")


def _surroundings(spec: Experiment) -> Iterator[Refusal]:
    if not spec.resources.gpus_per_node:
        message = "SkyRL trains on GPUs only: its workers and vLLM engines each ask Ray for one"
        cure = f"add resources.accelerators, such as L40S:4; on the CPU {VERL}"
        yield Refusal(("resources",), message, cure)
    if spec.reward is None:
        message = "SkyRL is given its rewards by the spec's function, and there is none"
        yield Refusal(("reward",), message, "add `reward:`")
    if spec.rollout.multi_turn:
        message = "SkyRL's turns and tools belong to an environment of one's own"
        yield Refusal(("rollout", "multi_turn"), message, VERL)
    if spec.tracking.wandb and "WANDB_API_KEY" not in spec.secrets:
        message = "SkyRL's W&B logger asserts WANDB_API_KEY, which is not among the secrets"
        cure = "add WANDB_API_KEY to `secrets`, or delete tracking.wandb"
        yield Refusal(("tracking", "wandb"), message, cure)
