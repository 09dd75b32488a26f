"""The canonical names of metrics: one table over all trainers.

`expect`, reports and comparisons use these names; a trainer's own name can be used in double
quotes. A name with `<set>` stands for one name per validation set of the spec.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple


class Metric(NamedTuple):
    """One canonical metric."""

    name: str
    unit: str
    better: str
    """`higher`, `lower`, or empty where neither is better as such."""
    meaning: str


METRICS: tuple[Metric, ...] = (
    Metric("reward/mean", "score", "higher", "Mean reward of the answers sampled in a step."),
    Metric("reward/max", "score", "higher", "Highest reward of a step."),
    Metric("reward/min", "score", "", "Lowest reward of a step."),
    Metric("val/<set>/accuracy", "share", "higher", "Share of right answers on a validation set."),
    Metric("val/<set>/pass_at_k", "share", "higher",
           "Prompts of a validation set with a right one among k answers; k is "
           "rollout.validation.samples. verl draws the k from those sampled, with replacement."),
    Metric("val/<set>/reward", "score", "higher", "Mean reward on a validation set."),
    Metric("val/<set>/loss", "nat/token", "lower", "Mean cross-entropy on one validation set."),
    Metric("val/<set>/token_accuracy", "share", "higher",
           "Tokens of the set's answers to which the model gives the highest probability."),
    Metric("val/<set>/preference_accuracy", "share", "higher",
           "Pairs of a validation set whose chosen answer has the higher implicit reward."),
    Metric("val/<set>/preference_margin", "", "higher",
           "Mean implicit reward of chosen less that of rejected answers on a validation set."),
    Metric("val/loss", "nat/token", "lower", "Mean cross-entropy on the validation set."),
    Metric("train/loss", "nat/token", "lower", "Mean cross-entropy of a supervised step."),
    Metric("train/token_accuracy", "share", "higher",
           "Tokens of a step's answers to which the model gives the highest probability."),
    Metric("preference/loss", "", "lower", "Loss of a step's pairs of answers."),
    Metric("preference/accuracy", "share", "higher",
           "Pairs of a step whose chosen answer has the higher implicit reward."),
    Metric("preference/margin", "", "higher",
           "Mean implicit reward of chosen less that of rejected answers (DPO: beta times the "
           "logarithm of the ratio to the reference model)."),
    Metric("preference/chosen_reward", "", "", "Mean implicit reward of chosen answers."),
    Metric("preference/rejected_reward", "", "", "Mean implicit reward of rejected answers."),
    Metric("policy/loss", "", "", "Policy-gradient loss; it has no trend of its own."),
    Metric("policy/clip_fraction", "share", "", "Tokens whose probability ratio was clipped."),
    Metric("policy/entropy", "nat", "", "Mean entropy of the policy's token distribution."),
    Metric("value/loss", "", "lower", "Loss of the critic."),
    Metric("kl/reference", "nat", "", "Divergence from the reference model."),
    Metric("kl/old_policy", "nat", "", "Divergence from the policy that sampled the answers."),
    Metric("advantage/mean", "", "", "Mean advantage of a step's answers."),
    Metric("response/length", "tokens", "", "Mean length of answers."),
    Metric("response/clip_ratio", "share", "lower", "Answers cut at the length limit."),
    Metric("prompt/length", "tokens", "", "Mean length of prompts."),
    Metric("gradient/norm", "", "", "Norm of the gradient before clipping."),
    Metric("learning_rate", "", "", "Learning rate of the step."),
    Metric("rollout/turns", "turns", "",
           "Mean turns of a conversation: 2 for a question and its answer, 2 more for each round "
           "of tool calls."),
    Metric("rollout/probability_difference", "share", "lower",
           "Mean difference of token probabilities between trainer and rollout engine."),
    Metric("throughput/tokens_per_second", "tokens/s", "higher", "Tokens per second of a step."),
    Metric("time/step", "s", "lower", "Wall-clock time of a step."),
    Metric("time/generation", "s", "lower", "Time of a step spent sampling answers."),
    Metric("time/update", "s", "lower", "Time of a step spent updating the policy."),
)  # fmt: skip

_PLAIN = {metric.name: metric for metric in METRICS if "<set>" not in metric.name}
_OF_SETS = tuple(
    (metric, re.compile(re.escape(metric.name).replace("<set>", "[^/]+")))
    for metric in METRICS
    if "<set>" in metric.name
)


@functools.lru_cache(maxsize=1024)  # tables of a whole registry ask for the same ones
def find(name: str) -> Metric | None:
    """Return the canonical metric that `name` (with a set's name filled in) belongs to."""
    of_sets = (metric for metric, pattern in _OF_SETS if pattern.fullmatch(name))
    return _PLAIN.get(name) or next(of_sets, None)


def is_raw(name: str) -> bool:
    """Whether `name` is a trainer's own name, written in double quotes."""
    return len(name) > 2 and name[0] == name[-1] == '"'


def check_name(name: str) -> None:
    """Raise ValueError with the nearest right name unless `name` is canonical or quoted."""
    if is_raw(name) or find(name):
        return
    import difflib

    near = difflib.get_close_matches(name, [metric.name for metric in METRICS], n=1)
    hint = f"did you mean `{near[0]}`?" if near else "see the table of metrics"
    raise ValueError(
        f"`{name[:60]}` is no canonical metric; {hint} "
        f"(a trainer's own name goes in quotes: '\"{name[:60]}\"')"
    )
